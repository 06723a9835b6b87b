// A table in columns that are as wide as what stands in them.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace umlnet::cli {

class TextTable {
 public:
  struct Column {
    std::string heading;
    bool numbers = false;  // flush right
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // A cell of several lines makes the row as high; as many cells as there are columns.
  void add(std::vector<std::vector<std::string>> cells);
  // With one line in each.
  void add_line(std::vector<std::string> cells);

  // With heading; no line ends in spaces.
  std::string str() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::vector<std::string>>> rows_;
};

}  // namespace umlnet::cli
