#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "fake_host.h"
#include "libumlnet/cli/doctor_check.h"
#include "libumlnet/cli/installed_helper.h"
#include "policy/location.h"

namespace umlnet::cli {
namespace {

constexpr const char* kHelper = "/usr/local/bin/uml_net";
constexpr const char* kTun = "/dev/net/tun";
constexpr const char* kNft = "/usr/sbin/nft";
constexpr gid_t kGroup = 990, kLogGroup = 989;

// VFS_CAP_REVISION_2 with cap_net_admin permitted.
const std::string kNetAdmin("\x00\x00\x00\x02\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);

// A host of values on which nothing is wrong, until a test changes it.
class FakeHost : public HostView {
 public:
  FakeHost() {
    for (const auto* directory : {"/var", "/var/log", "/var/log/umlnet"}) files[directory] = {.mode = S_IFDIR | 0755};
    files[kHelper] = {.mode = S_IFREG | 04754, .gid = kGroup};
    files[kTun] = {.mode = S_IFCHR | 0666, .device = makedev(10, 200)};
    for (const auto* file : {policy::kAuditLog, policy::kRefusals}) files[file] = {.mode = S_IFREG | 0640};
    texts["/proc/self/status"] = "Name:\tumlnet\nNoNewPrivs:\t0\nCapBnd:\t000001ffffffffff\n";
    texts["/proc/self/uid_map"] = "         0          0 4294967295\n";
    texts["/proc/cpuinfo"] = "flags\t: fpu sse\n";
    texts["/proc/sys/net/ipv4/conf/all/rp_filter"] = "0\n";
    texts["/proc/sys/net/ipv4/conf/eth0/rp_filter"] = "0\n";
    paths["uml_net"] = kHelper;
    programs["nft"] = kNft;
    outputs[kNft] = {.status = 0, .out = R"({"nftables": []})", .err = ""};
    outputs[kHelper] = {.status = 0,
                        .out = "uml_net " UMLNET_VERSION ", speaks UML protocol version 4\npolicy: " +
                               std::string(policy::kPolicyFile) + " and more\naudit log: " + policy::kAuditLog + "\n",
                        .err = ""};
    network_now = test::small_host();
    set_policy(R"({"name": "guests", "groups": ["umlnet"], "operations": ["tuntap", "address"],
                   "guests": ["10.50.0.32/27"], "lan": ["eth0"]})");
  }

  void set_policy(const std::string& rules) {
    const policy::PolicyText text{"p.json", R"({"version": 1, "rules": [)" + rules + "]}"};
    auto loaded = policy::load({&text, 1}, known.accounts);
    REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().what));
    policy_now = PolicyFacts{*std::move(loaded), 0};
  }

  policy::Caller viewer() const override { return who; }
  Result<KnownAccounts> accounts() const override { return known; }
  Result<FileFacts> look_at(const std::string& path) const override {
    if (hidden.contains(path)) return fail_errno(Code::kernel, EACCES, path);
    const auto it = files.find(path);
    if (it == files.end()) return fail_errno(Code::kernel, ENOENT, path);
    return it->second;
  }
  Result<FilesystemFacts> filesystem_of(const std::string& path) const override {
    const auto it = filesystems.find(path);
    return it != filesystems.end() ? it->second : FilesystemFacts{.free = 1 << 30};
  }
  std::string capability_attribute(const std::string& path) const override { return path == kHelper ? capability : ""; }
  bool may_execute(const std::string&) const override { return executable; }
  int error_of_opening(const std::string&) const override { return tun_error; }
  Result<std::string> read(const std::string& path) const override {
    const auto it = texts.find(path);
    if (it == texts.end()) return fail_errno(Code::kernel, ENOENT, "cannot open " + path);
    return it->second;
  }
  std::vector<std::string> list(const std::string& directory) const override {
    std::vector<std::string> names;
    for (const auto& [path, text] : texts)
      if (path.starts_with(directory + "/")) names.push_back(path.substr(directory.size() + 1));
    return names;
  }
  bool same_file(const std::string& one, const std::string& other) const override { return one == other; }
  std::optional<std::string> find_in_path(const std::string& name) const override {
    const auto it = paths.find(name);
    return it != paths.end() ? std::optional(it->second) : std::nullopt;
  }
  std::optional<std::string> find_program(const std::string& name) const override {
    const auto it = programs.find(name);
    return it != programs.end() ? std::optional(it->second) : std::nullopt;
  }
  Result<ProgramOutput> run(const std::vector<std::string>& words) const override {
    const auto it = outputs.find(words[0]);
    if (it == outputs.end()) return fail_errno(Code::kernel, ENOENT, "cannot start " + words[0]);
    return it->second;
  }
  bool is_running(const std::string& name) const override { return running.contains(name); }
  Result<policy::HostState> network() const override { return network_now; }
  Result<PolicyFacts> policy() const override { return policy_now; }

  KnownAccounts known{policy::Accounts("alice:x:1001:1001::/:/bin/sh\n", "umlnet:x:990:alice\numlnet-log:x:989:\n"),
                      Memberships("alice:x:1001:1001::/:/bin/sh\n", "umlnet:x:990:alice\numlnet-log:x:989:\n")};
  policy::Caller who = {.uid = 1001, .gid = 1001, .groups = {kGroup}, .pid = 1, .user = "alice", .loginuid = {}};
  std::map<std::string, FileFacts> files;
  std::set<std::string> hidden, running;
  std::map<std::string, FilesystemFacts> filesystems;
  std::map<std::string, std::string> texts, paths, programs;
  std::map<std::string, ProgramOutput> outputs;
  std::string capability;
  bool executable = true;
  int tun_error = 0;
  policy::HostState network_now;
  Result<PolicyFacts> policy_now = PolicyFacts{};
};

Finding look(const FakeHost& host, const std::string& check, std::optional<std::string> lan = {}) {
  const Examination examination{.host = host, .helper = kHelper, .lan = std::move(lan)};
  for (const auto& one : all_checks())
    if (check == one.name) return one.examine(examination);
  FAIL("there is no check " << check);
  return {};
}

void filecap(FakeHost& host) {
  host.capability = kNetAdmin;
  host.files[kHelper] = {.mode = S_IFREG | 02754, .gid = kLogGroup};
  host.files["/var/log/umlnet"] = {.mode = S_IFDIR | 0750, .gid = kLogGroup};
  for (const auto* file : {policy::kAuditLog, policy::kRefusals})
    host.files[file] = {.mode = S_IFREG | 0660, .gid = kLogGroup};
}

// A guest of uid 1001 on tap0 that is published in the LAN of eth0, with forwarding as the helper leaves it.
void publish(FakeHost& host) {
  host.network_now.routes.push_back(test::guest_route("10.50.0.40", 3));
  host.network_now.proxy_entries.push_back({2, test::ip("10.50.0.40"), rtnetlink::kProtocolForwarding});
  for (auto& link : host.network_now.links) link.ipv4.forwarding = true;
}

void drop_forwarded(FakeHost& host, const std::string& more = "") {
  host.outputs[kNft].out =
      R"({"nftables": [{"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter",
          "hook": "forward", "policy": "drop"}})" +
      more + "]}";
}

TEST_CASE("doctor: nothing is wrong on a host with nothing wrong, in either installation") {
  FakeHost host;
  for (const bool as_filecap : {false, true}) {
    if (as_filecap) filecap(host);
    for (const auto& check : all_checks()) {
      const auto finding = look(host, check.name);
      CHECK_MESSAGE(finding.health == Health::ok, check.name, ": ", finding.found);
      CHECK_MESSAGE(finding.mend == "", check.name);
      CHECK_MESSAGE(!finding.found.empty(), check.name);
    }
  }
}

struct Case {
  const char* check;
  std::function<void(FakeHost&)> spoil;
  Health health;
  const char* found;      // a part
  const char* mend = "";  // a part
  std::optional<std::string> lan = {};
};

void go_through(const std::vector<Case>& cases) {
  for (const auto& c : cases) {
    FakeHost host;
    c.spoil(host);
    const auto finding = look(host, c.check, c.lan);
    CAPTURE(c.check);
    CAPTURE(c.found);
    CHECK_MESSAGE(finding.health == c.health, finding.found);
    CHECK_MESSAGE(finding.found.find(c.found) != std::string::npos, finding.found);
    CHECK_MESSAGE(finding.mend.find(c.mend) != std::string::npos, finding.mend);
    CHECK_MESSAGE(finding.found.find('\n') == std::string::npos, "one line");
    CHECK_MESSAGE(finding.mend.find('\n') == std::string::npos, "one line");
    if (c.health != Health::ok) CHECK_MESSAGE(!finding.mend.empty(), "what is wrong can be mended");
  }
}

TEST_CASE("doctor: the helper") {
  constexpr const char* kMend = "chown root:umlnet /usr/local/bin/uml_net && chmod 4754 /usr/local/bin/uml_net";
  go_through({
      {"helper", [](auto& host) { host.files.erase(kHelper); }, Health::problem, "ENOENT", "--helper"},
      {"helper", [](auto& host) { host.files[kHelper].mode = S_IFREG | 0755; }, Health::problem,
       "no privilege (mode 0755", kMend},
      {"helper", [](auto& host) { host.files[kHelper].uid = 1001; }, Health::problem, "belongs to uid 1001", kMend},
      {"helper", [](auto& host) { host.files[kHelper].mode = S_IFREG | 04775; }, Health::problem, "mode 4775", kMend},
      {"helper", [](auto& host) { host.files[kHelper].mode = S_IFDIR | 0755; }, Health::problem, "is not a program"},
      {"helper", [](auto& host) { host.files[kHelper].mode = S_IFREG | 04755; }, Health::ok, "for everybody"},
      {"helper", [](auto& host) { host.files[kHelper].mode = S_IFREG | 04754; }, Health::ok,
       "members of the group umlnet"},
      {"helper", filecap, Health::ok, "cap_net_admin, and opens its files as group umlnet-log"},
      {"helper", [](auto& host) { host.hidden.insert(kHelper); }, Health::cannot_tell, "EACCES", "sudo"},
      {"mount", [](auto& host) { host.filesystems[kHelper] = {.nosuid = true}; }, Health::problem, "mounted nosuid",
       "mount -o remount,suid"},
      {"mount", [](auto& host) { host.files.erase(kHelper); }, Health::cannot_tell, "no helper"},
      {"access",
       [](auto& host) {
         host.executable = false;
         host.who.user = "bob";
       },
       Health::problem, "only members of the group umlnet", "usermod -aG umlnet bob"},
      {"access",
       [](auto& host) {
         filecap(host);
         host.executable = false;
         host.who.user = "bob";
       },
       Health::problem, "only members of the group umlnet may", "usermod -aG umlnet bob"},
      {"access", [](auto& host) { host.executable = false; }, Health::problem, "since this session began",
       "newgrp umlnet"},
      {"access",
       [](auto& host) {
         host.executable = false;
         host.files[kHelper].mode = S_IFREG | 04700;
       },
       Health::problem, "may not start", kMend},
      {"version", [](auto& host) { host.outputs[kHelper] = {.status = 64, .out = "", .err = "Version mismatch\nx"}; },
       Health::problem, "no uml_net of this toolkit: \"Version mismatch\"", "uml-utilities"},
      {"version", [](auto& host) { host.outputs.erase(kHelper); }, Health::problem, "cannot start"},
      {"version", [](auto& host) { host.executable = false; }, Health::cannot_tell, "may not start"},
      {"version",
       [](auto& host) {
         host.outputs[kHelper].out = "uml_net " UMLNET_VERSION
                                     ", speaks UML protocol version 4\npolicy: /opt/p.json\naudit log: /opt/a.jsonl\n";
       },
       Health::warning, "other places: policy /opt/p.json, audit log /opt/a.jsonl"},
      {"version", [](auto& host) { host.outputs[kHelper].out.replace(8, std::string(UMLNET_VERSION).size(), "0.0.9"); },
       Health::warning, "it is 0.0.9, and this command is " UMLNET_VERSION},
      {"path", [](auto& host) { host.paths.clear(); }, Health::warning, "no uml_net in PATH",
       "PATH=\"/usr/local/bin:$PATH\""},
      {"path", [](auto& host) { host.paths["uml_net"] = "/usr/bin/uml_net"; }, Health::warning,
       "first in PATH: /usr/bin/uml_net", "uml-utilities"},
      {"confinement", [](auto& host) { host.texts["/proc/self/status"] = "NoNewPrivs:\t1\n"; }, Health::problem,
       "no_new_privs", "no-new-privileges"},
      {"confinement", [](auto& host) { host.texts["/proc/self/status"] = "CapBnd:\t00000000a80425fb\n"; },
       Health::problem, "CAP_NET_ADMIN", "--cap-add=NET_ADMIN"},
      {"confinement", [](auto& host) { host.texts["/proc/self/uid_map"] = "         0       1001          1\n"; },
       Health::warning, "user namespace"},
  });
}

TEST_CASE("doctor: what the attribute of a file capability permits") {
  CHECK(permits_net_admin(kNetAdmin));
  CHECK_FALSE(permits_net_admin(""));
  CHECK_FALSE(permits_net_admin(kNetAdmin.substr(0, 7)));
  auto other = kNetAdmin;
  other[5] = '\x20';
  CHECK_FALSE(permits_net_admin(other));
  auto version3 = kNetAdmin + std::string(4, '\0');
  version3[3] = '\x03';
  CHECK(permits_net_admin(version3));
  auto unknown = kNetAdmin;
  unknown[3] = '\x07';
  CHECK_FALSE(permits_net_admin(unknown));
}

TEST_CASE("doctor: /dev/net/tun, for either installation") {
  const auto closed = [](FakeHost& host) {
    host.files[kTun].mode = S_IFCHR | 0600;
    host.tun_error = EACCES;
  };
  go_through({
      {"tun", [](auto& host) { host.files.erase(kTun); }, Health::problem, "is not there", "modprobe tun"},
      {"tun", [](auto& host) { host.files[kTun].mode = S_IFREG | 0666; }, Health::problem,
       "not the tun driver's device", "mknod /dev/net/tun c 10 200"},
      {"tun", [](auto& host) { host.files[kTun].device = makedev(1, 3); }, Health::problem, "not the tun driver's"},
      {"tun", [](auto& host) { host.tun_error = ENODEV; }, Health::problem, "driver is not loaded", "modprobe tun"},
      {"tun", [](auto& host) { host.tun_error = EPERM; }, Health::problem, "in a container", "--device=/dev/net/tun"},
      {"tun", [](auto&) {}, Health::ok, "either installation works"},
      {"tun", closed, Health::ok, "which a set-user-ID uml_net does not mind"},
      {"tun",
       [&](auto& host) {
         closed(host);
         host.files[kTun].uid = 1001;
       },
       Health::problem, "by root without capabilities"},
      {"tun",
       [&](auto& host) {
         filecap(host);
         closed(host);
       },
       Health::problem, "opens it as its caller", "chmod 0666 /dev/net/tun"},
      {"tun",
       [&](auto& host) {
         filecap(host);
         host.files[kTun] = {.mode = S_IFCHR | 0660, .gid = kLogGroup, .device = makedev(10, 200)};
         host.tun_error = EACCES;
       },
       Health::ok, "the group of uml_net"},
      {"tun",
       [&](auto& host) {
         closed(host);
         host.files.erase(kHelper);
       },
       Health::warning, "only a uml_net that is set-user-ID"},
  });
}

TEST_CASE("doctor: the policy") {
  go_through({
      {"policy",
       [](auto& host) {
         host.policy_now = std::unexpected(Error{Code::bad_policy, 0, "p.json:3: no", "Nobody; see umlnet-policy(5)."});
       },
       Health::problem, "nobody is granted anything: p.json:3: no", "umlnet policy check"},
      {"policy",
       [](auto& host) {
         host.policy_now = std::unexpected(Error{Code::bad_policy, 0, "p.json is writable",
                                                 "... until the administrator mends it: chmod go-w p.json"});
       },
       Health::problem, "is writable", "chmod go-w p.json"},
      {"policy",
       [](auto& host) { host.policy_now = std::unexpected(Error{Code::bad_policy, EACCES, "cannot open p.json", ""}); },
       Health::cannot_tell, "EACCES", "sudo"},
      {"policy", [](auto& host) { host.policy_now = PolicyFacts{}; }, Health::warning, "only root is served",
       "examples/policy.json"},
      {"policy", [](auto& host) { host.policy_now->warnings = 2; }, Health::warning, "1 rule, right, with 2 warnings",
       "umlnet policy check"},
      {"rules", [](auto&) {}, Health::ok, "alice may have a device: rule guests allows tuntap"},
      {"rules", [](auto& host) { host.who.groups.clear(); }, Health::warning, "alice gets no device: no rule",
       "umlnet policy explain tuntap"},
      {"rules", [](auto& host) { host.policy_now = std::unexpected(Error{}); }, Health::cannot_tell, "cannot be read"},
      {"journal", [](auto& host) { host.policy_now->policy.journald = true; }, Health::warning, "socket is not there",
       "systemctl start systemd-journald.socket"},
      {"journal",
       [](auto& host) {
         host.policy_now->policy.journald = true;
         host.files["/run/systemd/journal/socket"] = {.mode = S_IFSOCK | 0666};
       },
       Health::ok, "takes a copy"},
  });
}

TEST_CASE("doctor: the audit log") {
  constexpr const char* kLog = policy::kAuditLog;
  go_through({
      {"audit-log", [&](auto& host) { host.files.erase(kLog); }, Health::problem, "is not there",
       "install -d -m 0750 -g umlnet-log /var/log/umlnet && install -m 0640 -g umlnet-log /dev/null "
       "/var/log/umlnet/audit.jsonl"},
      {"audit-log",
       [&](auto& host) {
         filecap(host);
         host.files.erase(kLog);
       },
       Health::problem, "is not there", "install -m 0660 -g umlnet-log /dev/null /var/log/umlnet/audit.jsonl"},
      {"audit-log", [&](auto& host) { host.files.erase("/var/log/umlnet"); }, Health::problem,
       "the directory /var/log/umlnet of the audit log is not there", "install -d"},
      {"audit-log", [&](auto& host) { host.files["/var/log"].mode = S_IFLNK | 0777; }, Health::problem,
       "symbolic link"},
      {"audit-log", [&](auto& host) { host.hidden.insert(kLog); }, Health::cannot_tell, "may not look", "sudo"},
      {"audit-log", [&](auto& host) { host.files[kLog].mode = S_IFLNK | 0777; }, Health::problem, "is a symbolic link",
       "mv "},
      {"audit-log", [&](auto& host) { host.files[kLog].mode = S_IFIFO | 0600; }, Health::problem, "not a regular file"},
      {"audit-log", [&](auto& host) { host.files[kLog].uid = 7; }, Health::problem, "belongs to uid 7", "chown root "},
      {"audit-log", [&](auto& host) { host.files[kLog].links = 2; }, Health::problem, "has 2 names", "-samefile"},
      {"audit-log", [&](auto& host) { host.files[kLog].mode = S_IFREG | 0666; }, Health::problem, "by everybody",
       "chmod o-w "},
      {"audit-log", [&](auto& host) { host.files[kLog].mode = S_IFREG | 0440; }, Health::problem, "by its owner",
       "chmod u+w "},
      {"audit-log",
       [&](auto& host) {
         filecap(host);
         host.files[kLog].mode = S_IFREG | 0640;
       },
       Health::problem, "not writable by the group of uml_net",
       "chgrp umlnet-log /var/log/umlnet/audit.jsonl && chmod g+rw"},
      {"audit-log",
       [&](auto& host) {
         filecap(host);
         host.files[kLog].gid = kGroup;
       },
       Health::problem, "is writable by the group umlnet, whose members", "meson install"},
      {"audit-log",
       [&](auto& host) { host.known.memberships = Memberships("", "umlnet:x:990:alice\numlnet-log:x:989:bob\n"); },
       Health::warning, "the group umlnet-log has members", "gpasswd -d USER umlnet-log"},
      {"audit-log", [&](auto& host) { host.files["/var/log/umlnet"].mode = S_IFDIR | 0770; }, Health::problem,
       "writable by group or others", "chmod go-w /var/log/umlnet"},
      {"audit-log", [&](auto& host) { host.files["/var/log"].mode = S_IFDIR | 01777; }, Health::problem,
       "writable by group or others", "chmod go-w /var/log"},
      {"audit-log", [&](auto& host) { host.files["/var/log"] = {.mode = S_IFDIR | 0775, .gid = 1001}; },
       Health::problem, "writable by group or others", "chmod go-w /var/log"},
      {"audit-log", [&](auto& host) { host.files["/var/log"] = {.mode = S_IFDIR | 0775, .gid = 104}; }, Health::ok,
       "can be written to"},
      {"audit-log", [&](auto& host) { host.files["/var/log"].uid = 7; }, Health::problem, "belongs to uid 7",
       "chown root /var/log"},
      {"audit-log",
       [&](auto& host) {
         filecap(host);
         host.files["/var/log/umlnet"].mode = S_IFDIR | 0700;
       },
       Health::problem, "may not pass through", "chmod g+x /var/log/umlnet"},
      {"audit-log", [&](auto& host) { host.filesystems[kLog] = {.free = 100}; }, Health::problem, "is full", "df -h"},
      {"audit-log", [&](auto& host) { host.filesystems[kLog] = {.read_only = true, .free = 1 << 20}; }, Health::problem,
       "read-only", "mount -o remount,rw"},
      {"refusals", [&](auto& host) { host.files.erase(policy::kRefusals); }, Health::warning, "is not there: a flood",
       "install -m 0640 -g umlnet-log /dev/null /var/log/umlnet/audit.refusals"},
      {"refusals", [&](auto& host) { host.files[policy::kRefusals].uid = 7; }, Health::warning, "belongs to uid 7",
       "chown root"},
      {"refusals", [&](auto& host) { host.hidden.insert(policy::kRefusals); }, Health::cannot_tell, "may not look"},
  });
}

TEST_CASE("doctor: LANs and forwarding") {
  const auto lists = [](const std::string& pattern) {
    return [pattern](FakeHost& host) {
      host.set_policy(R"({"name": "g", "users": ["*"], "operations": ["address"], "lan": [")" + pattern + R"("]})");
    };
  };
  const auto no_lan = [](FakeHost& host) {
    host.set_policy(R"({"name": "g", "users": ["*"], "operations": ["tuntap"]})");
  };
  go_through({
      {"lan", [](auto& host) { host.network_now.links[0].up = false; }, Health::problem, "eth0 is down",
       "ip link set eth0 up"},
      {"lan", [](auto& host) { host.network_now.links[0].carrier = false; }, Health::warning, "no carrier"},
      {"lan", [](auto&) {}, Health::problem, "no device wan7", "ip -br link", "wan7"},
      {"lan", [](auto& host) { host.network_now.links[0].name = "eth1"; }, Health::warning,
       "lists the LAN device eth0"},
      {"lan", no_lan, Health::ok, "no rule lists a LAN"},
      {"lan", lists("e*"), Health::ok, "eth0 is there, and up"},
      {"lan", lists("wan*"), Health::warning, "a rule lists the LAN device wan*, and there is none of that name"},
      {"lan",
       [&](auto& host) {
         lists("house")(host);
         host.network_now.links[0].alternative_names = {"house"};
       },
       Health::ok, "eth0 is there, and up"},
      {"forwarding", [](auto&) {}, Health::ok, "uml_net turns it on for eth0"},
      {"forwarding", no_lan, Health::warning, "guests reach this host and nothing behind it", "net.ipv4.ip_forward=1"},
      {"forwarding",
       [&](auto& host) {
         no_lan(host);
         host.network_now.all.forwarding = true;
       },
       Health::ok, "forwarding is on"},
      {"forwarding", no_lan, Health::warning, "no rule lists eth0", "\"lan\": [\"eth0\"]", "eth0"},
      {"forwarding", publish, Health::ok, ""},
      {"forwarding",
       [](auto& host) {
         publish(host);
         host.network_now.links[0].ipv4.forwarding = false;
       },
       Health::problem, "turned off there", "sysctl -w net.ipv4.conf.eth0.forwarding=1"},
      {"forwarding",
       [](auto& host) {
         publish(host);
         host.network_now.links[1].ipv4.forwarding = false;
       },
       Health::problem, "its device tap0", "sysctl -w net.ipv4.conf.tap0.forwarding=1"},
      {"rp-filter", [](auto& host) { host.texts["/proc/sys/net/ipv4/conf/eth0/rp_filter"] = "1\n"; }, Health::warning,
       "strict on eth0", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"},
      {"rp-filter", [](auto& host) { host.texts["/proc/sys/net/ipv4/conf/all/rp_filter"] = "1\n"; }, Health::warning,
       "strict on eth0"},
      {"rp-filter",
       [](auto& host) {
         host.texts["/proc/sys/net/ipv4/conf/all/rp_filter"] = "1\n";
         host.texts["/proc/sys/net/ipv4/conf/eth0/rp_filter"] = "2\n";
       },
       Health::ok, "not strict"},
  });
}

TEST_CASE("doctor: the firewall") {
  const auto with_tap_rule = [](FakeHost& host) {
    drop_forwarded(host, R"(, {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "expr": [{"match":
      {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "tap*"}}, {"accept": null}]}})");
  };
  go_through({
      {"firewall", [](auto& host) { drop_forwarded(host); }, Health::problem, "(ip filter FORWARD)",
       "nft 'insert rule ip filter FORWARD iifname \"tap*\" accept' && nft 'insert"},
      {"firewall",
       [](auto& host) {
         drop_forwarded(host);
         host.set_policy(R"({"name": "g", "users": ["*"], "operations": ["tuntap"]})");
       },
       Health::warning, "do not mind"},
      {"firewall", with_tap_rule, Health::ok, "drops no forwarded"},
      {"firewall",
       [](auto& host) { host.outputs[kNft] = {.status = 1, .out = "", .err = "Operation not permitted\n"}; },
       Health::cannot_tell, "only root may list the firewall's rules (nft: Operation not permitted)", "sudo"},
      {"firewall", [](auto& host) { host.programs.clear(); }, Health::cannot_tell, "neither nft nor iptables",
       "apt-get install nftables"},
      {"firewall",
       [](auto& host) {
         host.programs = {{"iptables-nft", "/i"}};
         host.outputs["/i"] = {.status = 0, .out = "-P FORWARD DROP\n-N DOCKER-USER\n", .err = ""};
       },
       Health::problem, "FORWARD of iptables", "iptables -I DOCKER-USER -i tap+ -j ACCEPT"},
      // The old tables, of which nft says nothing.
      {"firewall",
       [](auto& host) {
         host.programs["iptables-legacy"] = "/l";
         host.texts["/proc/net/ip_tables_names"] = "filter\n";
         host.outputs["/l"] = {.status = 0, .out = "-P FORWARD DROP\n", .err = ""};
       },
       Health::problem, "FORWARD of iptables-legacy", "iptables-legacy -I FORWARD"},
      {"firewall",
       [](auto& host) {
         host.programs["iptables-legacy"] = "/l";
         host.outputs["/l"] = {.status = 0, .out = "-P FORWARD DROP\n", .err = ""};
       },
       Health::ok, ""},
      {"bridge-filter",
       [](auto& host) {
         host.texts["/proc/sys/net/bridge/bridge-nf-call-iptables"] = "1\n";
         drop_forwarded(host);
       },
       Health::warning, "which drops them", "sysctl -w net.bridge.bridge-nf-call-iptables=0"},
      {"bridge-filter", [](auto& host) { host.texts["/proc/sys/net/bridge/bridge-nf-call-iptables"] = "1\n"; },
       Health::ok, "lets them pass"},
      {"bridge-filter",
       [](auto& host) {
         host.texts["/proc/sys/net/bridge/bridge-nf-call-iptables"] = "1\n";
         host.programs.clear();
       },
       Health::cannot_tell, "was not seen"},
  });
}

TEST_CASE("doctor: router advertisements from guests on a bridge") {
  const auto with = [](const std::string& accept_ra, const std::string& forwarding, const std::string& disabled,
                       const std::string& more = "", const std::string& bridge = "br0") {
    return [=](FakeHost& host) {
      const auto conf = "/proc/sys/net/ipv6/conf/" + bridge + "/";
      host.texts[conf + "accept_ra"] = accept_ra + "\n";
      host.texts[conf + "forwarding"] = forwarding + "\n";
      host.texts[conf + "disable_ipv6"] = disabled + "\n";
      host.set_policy(R"({"name": "g", "users": ["*"], "operations": ["open", "bridge"], "bridges": [")" + bridge +
                      R"(", "br1"])" + more + "}");
    };
  };
  go_through({
      {"bridge-ra", [](auto&) {}, Health::ok, "no rule grants a bridge"},
      {"bridge-ra", with("1", "0", "0"), Health::warning, "from the bridge br0: a guest",
       "sysctl -w net.ipv6.conf.br0.accept_ra=0"},
      {"bridge-ra", with("2", "1", "0"), Health::warning, "from the bridge br0: a guest"},
      {"bridge-ra", with("1", "0", "0", "", "br0.5"), Health::warning, "br0.5",
       "sysctl -w net.ipv6.conf.br0/5.accept_ra=0"},
      {"bridge-ra",
       [&](auto& host) {
         with("1", "0", "0")(host);
         auto& link = host.network_now.links.emplace_back();
         link.name = "br0";
         link.kind = "bridge";
         host.set_policy(R"({"name": "g", "users": ["*"], "operations": ["bridge"], "bridges": ["b*"]})");
       },
       Health::warning, "from the bridge br0: a guest"},
      {"bridge-ra", with("0", "0", "0"), Health::ok, "accepts no router advertisements"},
      {"bridge-ra", with("1", "1", "0"), Health::ok, "accepts no router advertisements"},
      {"bridge-ra", with("2", "0", "1"), Health::ok, "accepts no router advertisements"},
      {"bridge-ra", with("1", "0", "0", R"(, "anti_spoof": true)"), Health::ok, "no rule grants a bridge"},
      {"bridge-ra", [](auto& host) { host.policy_now = fail(Code::bad_policy, "not for you"); }, Health::cannot_tell,
       "in the policy"},
  });
}

TEST_CASE("doctor: programs that take devices over, what is left behind, and the guest's kernel") {
  const auto amx = [](FakeHost& host, const std::string& version) {
    host.texts["/proc/cpuinfo"] = "flags\t: fpu amx_tile sse\n";
    host.paths["linux.uml"] = "/usr/bin/linux.uml";
    host.outputs["/usr/bin/linux.uml"] = {.status = 0, .out = version + "\n", .err = ""};
  };
  go_through({
      {"NetworkManager", [](auto& host) { host.running.insert("NetworkManager"); }, Health::warning, "nothing tells it",
       ">/etc/NetworkManager/conf.d/90-umlnet.conf"},
      {"NetworkManager",
       [](auto& host) {
         host.running.insert("NetworkManager");
         host.texts["/etc/NetworkManager/conf.d/90-umlnet.conf"] = "[keyfile]\nunmanaged-devices=interface-name:tap*\n";
       },
       Health::ok, "told to leave tap devices alone"},
      {"NetworkManager",
       [](auto& host) {
         host.running.insert("NetworkManager");
         host.texts["/usr/lib/NetworkManager/conf.d/10-taps.conf"] =
             "[keyfile]\nunmanaged-devices=interface-name:tap*\n";
         host.texts["/etc/NetworkManager/conf.d/10-taps.conf"] = "";
       },
       Health::warning, "nothing tells it"},
      {"networkd",
       [](auto& host) {
         host.running.insert("systemd-network");
         host.texts["/etc/systemd/network/50-all.network"] = "[Match]\nName=*\n[Network]\nDHCP=yes\n";
       },
       Health::warning, "takes over tap devices by /etc/systemd/network/50-all.network",
       ">/etc/systemd/network/00-umlnet.network"},
      {"networkd",
       [](auto& host) {
         host.running.insert("systemd-network");
         host.texts["/etc/systemd/network/50-all.network"] = "[Match]\nName=*\n[Network]\nDHCP=yes\n";
         host.texts["/usr/lib/systemd/network/00-taps.network"] = "[Match]\nName=tap*\n[Link]\nUnmanaged=yes\n";
       },
       Health::ok, "00-taps.network has it leave"},
      {"networkd", [](auto& host) { host.running.insert("systemd-network"); }, Health::ok, "no file of its speaks"},
      {"leftovers",
       [](auto& host) {
         host.network_now.links[1].persistent = true;
         host.network_now.links[1].carrier = false;
         host.network_now.proxy_entries.push_back({2, test::ip("10.50.0.40"), rtnetlink::kProtocol});
       },
       Health::warning, "device tap0, proxy entry 10.50.0.40 on eth0", "/usr/local/bin/uml_net gc"},
      {"linux.uml", [&](auto& host) { amx(host, "6.1.176"); }, Health::warning, "AMX", "6.13"},
      {"linux.uml", [&](auto& host) { amx(host, "6.13.0"); }, Health::ok, "runs on this processor"},
      {"linux.uml", [&](auto& host) { amx(host, "what"); }, Health::cannot_tell, "does not say"},
  });
}

}  // namespace
}  // namespace umlnet::cli
