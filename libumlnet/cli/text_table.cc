#include "libumlnet/cli/text_table.h"

#include <algorithm>
#include <utility>

namespace umlnet::cli {
namespace {

constexpr std::size_t kGap = 2;

}  // namespace

void TextTable::add(std::vector<std::vector<std::string>> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void TextTable::add_line(std::vector<std::string> cells) {
  std::vector<std::vector<std::string>> row;
  row.reserve(cells.size());
  for (auto& cell : cells) row.push_back({std::move(cell)});
  add(std::move(row));
}

std::string TextTable::str() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].heading.size();
    for (const auto& row : rows_)
      for (const auto& line : row[i]) width = std::max(width, line.size());
    widths.push_back(width);
  }

  std::string text;
  const auto put = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string padding(widths[i] - cell.size(), ' ');
      line += columns_[i].numbers ? padding + cell : cell + padding;
      line.append(kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };

  put([&](std::size_t i) -> const std::string& { return columns_[i].heading; });
  static const std::string kNothing;
  for (const auto& row : rows_) {
    std::size_t height = 1;
    for (const auto& cell : row) height = std::max(height, cell.size());
    for (std::size_t at = 0; at < height; ++at)
      put([&](std::size_t i) -> const std::string& { return at < row[i].size() ? row[i][at] : kNothing; });
  }
  return text;
}

}  // namespace umlnet::cli
