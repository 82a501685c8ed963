// What a C++ module needs of the host: the calls, as the official library makes
// them, and the encoding of values. Formats: spec 02 and 03.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#define HOST(module, name) extern "C" __attribute__((import_module(module), import_name(#name)))

HOST("spacetime_10.0", table_id_from_name) uint16_t table_id_from_name(const char *name, size_t len, uint32_t *out);
HOST("spacetime_10.0", index_id_from_name) uint16_t index_id_from_name(const char *name, size_t len, uint32_t *out);
HOST("spacetime_10.0", datastore_table_row_count) uint16_t datastore_table_row_count(uint32_t table, uint64_t *out);
HOST("spacetime_10.0", datastore_table_scan_bsatn) uint16_t datastore_table_scan_bsatn(uint32_t table, uint32_t *iter);
HOST("spacetime_10.0", datastore_index_scan_range_bsatn)
uint16_t datastore_index_scan_range_bsatn(uint32_t index, const uint8_t *prefix, size_t prefix_len, uint32_t prefix_elems, const uint8_t *start,
                                          size_t start_len, const uint8_t *end, size_t end_len, uint32_t *iter);
// An older name of the same call, which the library still offers.
HOST("spacetime_10.0", datastore_btree_scan_bsatn)
uint16_t datastore_btree_scan_bsatn(uint32_t index, const uint8_t *prefix, size_t prefix_len, uint32_t prefix_elems, const uint8_t *start,
                                    size_t start_len, const uint8_t *end, size_t end_len, uint32_t *iter);
HOST("spacetime_10.0", datastore_delete_by_index_scan_range_bsatn)
uint16_t datastore_delete_by_index_scan_range_bsatn(uint32_t index, const uint8_t *prefix, size_t prefix_len, uint32_t prefix_elems,
                                                    const uint8_t *start, size_t start_len, const uint8_t *end, size_t end_len, uint32_t *deleted);
HOST("spacetime_10.0", row_iter_bsatn_advance) int16_t row_iter_bsatn_advance(uint32_t iter, uint8_t *buffer, size_t *len);
HOST("spacetime_10.0", datastore_insert_bsatn) uint16_t datastore_insert_bsatn(uint32_t table, uint8_t *row, size_t *len);
HOST("spacetime_10.0", datastore_update_bsatn) uint16_t datastore_update_bsatn(uint32_t table, uint32_t index, uint8_t *row, size_t *len);
HOST("spacetime_10.0", datastore_delete_all_by_eq_bsatn)
uint16_t datastore_delete_all_by_eq_bsatn(uint32_t table, const uint8_t *relation, size_t len, uint32_t *deleted);
HOST("spacetime_10.0", bytes_source_read) int16_t bytes_source_read(uint32_t source, uint8_t *buffer, size_t *len);
HOST("spacetime_10.0", bytes_sink_write) uint16_t bytes_sink_write(uint32_t sink, const uint8_t *buffer, size_t *len);
HOST("spacetime_10.0", console_log)
void console_log(uint32_t level, const char *target, size_t target_len, const char *file, size_t file_len, uint32_t line, const char *text,
                 size_t text_len);
HOST("spacetime_10.0", identity) void database_identity(uint8_t *out);
HOST("spacetime_10.1", bytes_source_remaining_length) int16_t bytes_source_remaining_length(uint32_t source, uint32_t *out);
HOST("spacetime_10.3", procedure_start_mut_tx) uint16_t procedure_start_mut_tx(int64_t *timestamp);
HOST("spacetime_10.3", procedure_commit_mut_tx) uint16_t procedure_commit_mut_tx();
HOST("spacetime_10.3", procedure_abort_mut_tx) uint16_t procedure_abort_mut_tx();

namespace host {

using Bytes = std::vector<uint8_t>;

// As the library's LOG_PANIC: a line of level Error, and a trap.
[[noreturn]] inline void panic(const std::string &text, uint32_t line) {
  console_log(0, "cpp", 3, "lib.cpp", 7, line, text.data(), text.size());
  __builtin_trap();
}

inline void check(uint16_t status, uint32_t line) {
  if (status != 0) panic("the host answered " + std::to_string(status), line);
}

// Writes values in BSATN.
struct Writer {
  Bytes out;

  template <class T> Writer &number(T value) {
    for (size_t i = 0; i < sizeof value; i++) out.push_back(uint8_t(uint64_t(value) >> (8 * i)));
    return *this;
  }
  Writer &byte(uint8_t b) { return number(b); }
  Writer &count(size_t n) { return number(uint32_t(n)); }
  Writer &bytes(const Bytes &b) {
    out.insert(out.end(), b.begin(), b.end());
    return *this;
  }
  Writer &text(const std::string &s) {
    count(s.size());
    out.insert(out.end(), s.begin(), s.end());
    return *this;
  }
  Writer &some(const std::string &s) { return byte(0).text(s); }
  Writer &none() { return byte(1); }
};

// Reads values in BSATN.
struct Reader {
  const Bytes &in;
  size_t at = 0;

  explicit Reader(const Bytes &in) : in(in) {}
  bool more() const { return at < in.size(); }
  template <class T> T number() {
    if (in.size() - at < sizeof(T)) panic("a value is cut short", __LINE__);
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); i++) value |= uint64_t(in[at++]) << (8 * i);
    return T(value);
  }
  std::string text() {
    auto n = number<uint32_t>();
    if (in.size() - at < n) panic("a text is cut short", __LINE__);
    std::string s(in.begin() + at, in.begin() + at + n);
    at += n;
    return s;
  }
};

inline Bytes read_source(uint32_t source) {
  Bytes all;
  if (source == 0) return all;
  uint32_t left = 0;
  if (bytes_source_remaining_length(source, &left) != 0) panic("a source has no length", __LINE__);
  all.resize(left + 1);
  size_t at = 0;
  for (;;) {
    size_t n = all.size() - at;
    auto ended = bytes_source_read(source, all.data() + at, &n);
    at += n;
    if (ended == -1) break;
    if (ended != 0 || at == all.size()) panic("a source is longer than it said", __LINE__);
  }
  all.resize(at);
  return all;
}

inline void write_sink(uint32_t sink, const Bytes &b) {
  size_t n = b.size();
  check(bytes_sink_write(sink, b.data(), &n), __LINE__);
}

// The rows of an iterator, one after the other in one range of bytes. The buffer
// begins as small as the library's.
inline Bytes rows(uint32_t iter, size_t capacity = 4096) {
  Bytes all, buffer(capacity);
  for (;;) {
    size_t n = buffer.size();
    auto status = row_iter_bsatn_advance(iter, buffer.data(), &n);
    if (status == 11) { // BUFFER_TOO_SMALL
      buffer.resize(n);
      continue;
    }
    if (status > 0) panic("an iterator answered " + std::to_string(status), __LINE__);
    all.insert(all.end(), buffer.begin(), buffer.begin() + n);
    if (status == -1) return all;
  }
}

struct Table {
  std::string name;
  std::optional<uint32_t> known;

  explicit Table(std::string name) : name(std::move(name)) {}
  uint32_t id() {
    if (!known) {
      uint32_t id;
      check(table_id_from_name(name.data(), name.size(), &id), __LINE__);
      known = id;
    }
    return *known;
  }
  // An index is looked for by the spellings of its name.
  uint32_t index(const std::string &columns) {
    for (const char *suffix : {"_idx", "_idx_btree"}) {
      auto n = name + "_" + columns + suffix;
      uint32_t id;
      if (index_id_from_name(n.data(), n.size(), &id) == 0) return id;
    }
    panic("no index of " + name + " on " + columns, __LINE__);
  }
  uint64_t count() {
    uint64_t n;
    check(datastore_table_row_count(id(), &n), __LINE__);
    return n;
  }
  Bytes scan(size_t capacity) {
    uint32_t iter;
    check(datastore_table_scan_bsatn(id(), &iter), __LINE__);
    return rows(iter, capacity);
  }
  // Inserts a row, and returns the columns that the host has filled in.
  std::optional<Bytes> insert(Bytes row) {
    size_t n = row.size();
    auto status = datastore_insert_bsatn(id(), row.data(), &n);
    if (status == 12) return {}; // UNIQUE_ALREADY_EXISTS
    check(status, __LINE__);
    row.resize(n);
    return row;
  }
};

// The bounds of a range: a tag and the value.
inline Bytes included(uint32_t key) { return Writer().byte(0).number(key).out; }
inline Bytes excluded(uint32_t key) { return Writer().byte(1).number(key).out; }

} // namespace host
