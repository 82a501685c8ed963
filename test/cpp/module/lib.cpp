// A module in C++: tables, an index, lifecycle, a schedule, views, a procedure and
// errors, with as much of the standard library as modules use.
#include "host.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>

using namespace host;

static Table item("item"), session("session"), timer("timer");

// Static data is made by _initialize; a map shows whether it ran.
static const std::map<uint32_t, std::string> kinds = {{1, "one"}, {2, "two"}};

enum Type : uint8_t { Ref = 0, Product = 2, Array = 3, String = 4, U32 = 11, I64 = 12, U64 = 13, U256 = 17 };

static Writer &field(Writer &w, const char *name) { return w.some(name); }

static Bytes identity_type() {
  Writer w;
  w.byte(Product).count(1);
  field(w, "__identity__").byte(U256);
  return w.out;
}
static Bytes micros(const char *name) {
  Writer w;
  w.byte(Product).count(1);
  field(w, name).byte(I64);
  return w.out;
}

static void table(Writer &w, const char *name, uint32_t type, std::vector<std::pair<uint16_t, const char *>> indexes, bool sequence, bool is_public) {
  w.text(name).number(type).count(1).number(uint16_t(0)).count(indexes.size());
  for (auto &[column, column_name] : indexes)
    w.some(std::string(name) + "_" + column_name + "_idx_btree").some(column_name).byte(0).count(1).number(column);
  w.count(1).none().byte(0).count(1).number(uint16_t(0)); // the first column is unique
  w.count(sequence ? 1 : 0);
  if (sequence) {
    w.none().number(uint16_t(0)).none().none().none().number(uint64_t(1)).number(uint64_t(0));
  }
  w.byte(1).byte(is_public ? 0 : 1).count(0).byte(0);
}

struct Parameter {
  const char *name;
  Bytes type;
};
static Writer &parameters(Writer &w, const std::vector<Parameter> &list) {
  w.count(list.size());
  for (auto &p : list) field(w, p.name).bytes(p.type);
  return w;
}
static void reducer(Writer &w, const char *name, bool callable, const std::vector<Parameter> &list) {
  w.text(name);
  parameters(w, list).byte(callable ? 1 : 0).byte(Product).count(0).byte(String);
}

extern "C" __attribute__((export_name("__preinit__10_first"))) void preinit() {
  if (kinds.size() != 2) panic("static data is not there before the first preinit", __LINE__);
  std::cout << "preinit" << std::endl;
}

extern "C" __attribute__((export_name("__describe_module__"))) void __describe_module__(uint32_t sink) {
  Writer w;
  w.byte(2).count(8);
  w.byte(0).count(3); // typespace
  w.byte(Product).count(3);
  field(w, "id").byte(U64);
  field(w, "kind").byte(U32);
  field(w, "text").byte(String);
  w.byte(Product).count(1);
  field(w, "who").bytes(identity_type());
  w.byte(Product).count(2);
  field(w, "id").byte(U64);
  field(w, "at").byte(1).count(2);
  field(w, "Interval").bytes(micros("__time_duration_micros__"));
  field(w, "Time").bytes(micros("__timestamp_micros_since_unix_epoch__"));
  w.byte(1).count(3); // types
  uint32_t n = 0;
  for (const char *name : {"Item", "Session", "Timer"}) w.count(0).text(name).number(n++).byte(1);
  w.byte(2).count(3); // tables
  table(w, "item", 0, {{0, "id"}, {1, "kind"}}, true, true);
  table(w, "session", 1, {{0, "who"}}, false, true);
  table(w, "timer", 2, {{0, "id"}}, true, false);
  w.byte(3).count(9); // reducers, numbered as in the dispatch below
  reducer(w, "init", false, {});
  reducer(w, "connected", false, {});
  reducer(w, "disconnected", false, {});
  reducer(w, "tick", false, {{"timer", Writer().byte(Ref).number(uint32_t(2)).out}});
  reducer(w, "add", true, {{"kind", {U32}}, {"text", {String}}});
  reducer(w, "rename", true, {{"id", {U64}}, {"text", {String}}});
  reducer(w, "drop_below", true, {{"kind", {U32}}});
  reducer(w, "crash", true, {{"how", {String}}});
  reducer(w, "count_kinds", true, {});
  w.byte(7).count(3); // lifecycle
  w.byte(0).text("init").byte(1).text("connected").byte(2).text("disconnected");
  w.byte(6).count(1).none().text("timer").number(uint16_t(1)).text("tick"); // schedules
  w.byte(5).count(2);                                                      // views
  w.text("ones").number(uint32_t(0)).byte(1).byte(1).count(0).byte(Array).byte(Ref).number(uint32_t(0));
  w.text("me").number(uint32_t(0)).byte(1).byte(0).count(0).byte(Array).byte(Ref).number(uint32_t(1));
  write_sink(sink, w.out);
  // The last section is written by itself: a sink takes more than one piece.
  Writer p;
  p.byte(4).count(1).text("tally");
  parameters(p, {{"text", {String}}, {"keep", {5}}}).byte(U64).byte(1);
  write_sink(sink, p.out);
}

static Bytes item_row(uint64_t id, uint32_t kind, const std::string &text) { return Writer().number(id).number(kind).text(text).out; }

static std::string add(uint32_t kind, const std::string &text) {
  if (text.empty()) return "a text is wanted for kind " + std::to_string(kind);
  auto filled = item.insert(item_row(0, kind, text));
  if (!filled) return "there already";
  auto id = Reader(*filled).number<uint64_t>();
  std::ostringstream line;
  auto name = kinds.find(kind);
  line << "item " << id << " is of kind " << (name == kinds.end() ? "many" : name->second);
  console_log(2, "cpp", 3, "lib.cpp", 7, __LINE__, line.str().data(), line.str().size());
  return "";
}

static std::string run(uint32_t id, const Bytes &sender, Reader args) {
  switch (id) {
  case 0: { // every 20 ms
    if (add(1, "first") != "") panic("init cannot add", __LINE__);
    timer.insert(Writer().number(uint64_t(0)).byte(0).number(int64_t(20000)).out);
    return "";
  }
  case 1:
    session.insert(sender);
    return "";
  case 2: {
    auto rel = Writer().count(1).bytes(sender).out;
    uint32_t n;
    check(datastore_delete_all_by_eq_bsatn(session.id(), rel.data(), rel.size(), &n), __LINE__);
    return "";
  }
  case 3: {
    if (args.number<uint64_t>() == 0) panic("the timer's row has no id", __LINE__);
    auto self = Bytes(32);
    database_identity(self.data());
    if (self != sender) return "only the database ticks";
    return item.count() < 5 ? add(9, "tick") : "";
  }
  case 4: {
    auto kind = args.number<uint32_t>();
    return add(kind, args.text());
  }
  case 5: {
    auto row = Writer().number(args.number<uint64_t>()).out;
    row = Writer().bytes(row).number(uint32_t(2)).text(args.text()).out;
    size_t n = row.size();
    auto status = datastore_update_bsatn(item.id(), item.index("id"), row.data(), &n);
    return status == 0 ? "" : "no such item: " + std::to_string(status);
  }
  case 6: {
    auto from = included(0), to = excluded(args.number<uint32_t>());
    uint32_t n;
    check(datastore_delete_by_index_scan_range_bsatn(item.index("kind"), nullptr, 0, 0, from.data(), from.size(), to.data(), to.size(), &n), __LINE__);
    printf("%u deleted\n", n);
    return "";
  }
  case 7: {
    auto how = args.text();
    item.insert(item_row(0, 77, "not to be kept"));
    if (how == "abort") abort();
    if (how == "loop")
      for (volatile uint32_t i = 0;; i = i + 1) {}
    if (how == "deep") return run(7, sender, args.at ? Reader(args.in) : args) + how;
    panic("invariant broken", __LINE__);
  }
  case 8: { // the same rows from a table and from an index, whatever the buffer
    auto from = included(0), to = included(UINT32_MAX);
    uint32_t iter;
    check(datastore_btree_scan_bsatn(item.index("kind"), nullptr, 0, 0, from.data(), from.size(), to.data(), to.size(), &iter), __LINE__);
    std::vector<std::string> lists;
    for (const Bytes &all : {rows(iter, 1), item.scan(1), item.scan(1 << 17)}) {
      std::vector<std::string> texts;
      for (Reader r(all); r.more();) {
        r.number<uint64_t>(), r.number<uint32_t>();
        texts.push_back(r.text());
      }
      std::sort(texts.begin(), texts.end());
      std::string joined;
      for (auto &t : texts) joined += t.substr(0, 8) + ";";
      lists.push_back(joined);
    }
    if (lists[0] != lists[1] || lists[1] != lists[2]) return "lists differ: " + lists[0] + " " + lists[1] + " " + lists[2];
    std::cout << "all: " << lists[0] << std::endl;
    return "";
  }
  }
  return "no such reducer";
}

static Bytes sender_bytes(uint64_t a, uint64_t b, uint64_t c, uint64_t d) { return Writer().number(a).number(b).number(c).number(d).out; }

extern "C" __attribute__((export_name("__call_reducer__"))) int16_t __call_reducer__(uint32_t id, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t,
                                                                                   uint64_t, uint64_t, uint32_t source, uint32_t error) {
  auto args = read_source(source);
  auto failed = run(id, sender_bytes(a, b, c, d), Reader(args));
  if (failed.empty()) return 0;
  write_sink(error, Bytes(failed.begin(), failed.end()));
  return 1;
}

static int16_t answer(uint32_t sink, const Bytes &rows, uint32_t n) {
  write_sink(sink, Writer().byte(0).count(n).bytes(rows).out);
  return 2;
}

extern "C" __attribute__((export_name("__call_view_anon__"))) int16_t __call_view_anon__(uint32_t, uint32_t, uint32_t sink) {
  auto one = included(1);
  uint32_t iter, n = 0;
  check(datastore_index_scan_range_bsatn(item.index("kind"), nullptr, 0, 0, one.data(), one.size(), one.data(), one.size(), &iter), __LINE__);
  auto all = rows(iter);
  for (Reader r(all); r.more(); n++) r.number<uint64_t>(), r.number<uint32_t>(), r.text();
  return answer(sink, all, n);
}

extern "C" __attribute__((export_name("__call_view__"))) int16_t __call_view__(uint32_t, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint32_t, uint32_t sink) {
  return answer(sink, sender_bytes(a, b, c, d), 1);
}

extern "C" __attribute__((export_name("__call_procedure__"))) int16_t __call_procedure__(uint32_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                                                                       uint64_t, uint32_t source, uint32_t sink) {
  auto args = read_source(source);
  Reader r(args);
  auto text = r.text();
  auto keep = r.number<uint8_t>() != 0;
  int64_t now;
  check(procedure_start_mut_tx(&now), __LINE__);
  item.insert(item_row(0, 1, text));
  auto n = item.count();
  check(keep ? procedure_commit_mut_tx() : procedure_abort_mut_tx(), __LINE__);
  write_sink(sink, Writer().number(n).out);
  return 0;
}
