// A journal in a directory of its own, and records to put in it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "journal/journal.hpp"
#include "support/bytes.hpp"

namespace godwit::journal {

class JournalFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "godwit-journal-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    reopen();
  }
  void TearDown() override {
    journal_.reset();
    std::filesystem::remove_all(dir_);
  }
  void reopen() {
    journal_.reset();
    auto opened = Journal::open(dir_);
    ASSERT_TRUE(opened) << opened.error().text;
    journal_ = std::move(*opened);
  }
  std::string file(const std::string& suffix = "") const { return dir_ + "/journal.db" + suffix; }

  std::string dir_;
  std::unique_ptr<Journal> journal_;
};

inline Id id_of(uint64_t number) { return Id{0x1111, number}; }

inline RegionRecord region_of(uint64_t number, uint64_t epoch = 1) {
  return {id_of(number), epoch, "region " + std::to_string(number), "pmem0", Id{7, 8}, {number * 4096, 4096}, 4000};
}

inline DatabaseRecord database_of(uint64_t number, DatabaseState state = DatabaseState::kServing) {
  return {id_of(number),
          1,
          "database " + std::to_string(number),
          "lmdb",
          "/databases/" + std::to_string(number),
          "{}",
          true,
          state,
          state == DatabaseState::kMoved ? "tcp://10.0.0.2:7471" : ""};
}

inline MovedRecord moved_of(uint64_t number) {
  return {id_of(number), 2, "region " + std::to_string(number), "fi_sockaddr_in://10.0.0.2:7471", "pmem1"};
}

inline std::vector<JobObject> objects_of(uint64_t first, uint64_t count) {
  std::vector<JobObject> objects;
  for (uint64_t i = first; i < first + count; ++i)
    objects.push_back({id_of(i), id_of(i), 1, "region " + std::to_string(i), 4000, "pmem0", {i * 4096, 4096}});
  return objects;
}

inline OutboundJob outbound_of(uint64_t job, uint64_t first, uint64_t count, bool is_move = true) {
  return {Id{1, job}, OutboundState::kStarted,  is_move, true, "fi_sockaddr_in://10.0.0.2:7471",
          "pmem1",    objects_of(first, count), Id{3, 4}};
}

inline InboundJob inbound_of(uint64_t job, uint64_t first, uint64_t count) {
  return {
      Id{1, job}, InboundState::kPrepared, "fi_sockaddr_in://10.0.0.1:7471", "pmem0", Id{7, 8}, true, objects_of(first, count),
      Id{5, 6}};
}

inline PlanRecord plan_of(uint64_t number, uint64_t created_ms) {
  return {Id{9, number}, created_ms, 0, "{\"name\": \"" + std::to_string(number) + "\"}", "findings", "progress"};
}

inline std::vector<RegionRecord> regions_of(uint64_t first, uint64_t count, uint64_t epoch) {
  std::vector<RegionRecord> regions;
  for (uint64_t i = first; i < first + count; ++i) regions.push_back(region_of(i, epoch));
  return regions;
}

inline std::vector<MovedRecord> moved_list(uint64_t first, uint64_t count) {
  std::vector<MovedRecord> moved;
  for (uint64_t i = first; i < first + count; ++i) moved.push_back(moved_of(i));
  return moved;
}

// Everything that a journal says, as text.
inline std::string describe(Journal& journal) {
  std::string text = "node " + to_string(journal.node_id()) + "\n";
  const auto extent = [](const Extent& e) { return std::to_string(e.offset_bytes) + "+" + std::to_string(e.length_bytes); };
  const auto objects = [&](const std::vector<JobObject>& list) {
    for (const JobObject& o : list)
      text += "  " + to_string(o.id) + " " + to_string(o.destination_id) + " " + std::to_string(o.epoch) + " " + o.name + " " +
              std::to_string(o.size_bytes) + " " + o.target + " " + extent(o.extent) + "\n";
  };
  auto regions = journal.regions();
  auto moved = journal.moved();
  auto outbound = journal.outbound();
  auto inbound = journal.inbound();
  auto databases = journal.databases();
  auto plans = journal.plans();
  auto requests = journal.requests();
  if (!regions || !moved || !outbound || !inbound || !databases || !requests || !plans) return "unreadable";
  for (const RequestRecord& r : *requests)
    text += "request " + to_string(r.job) + " " + std::to_string(r.attempt) + " " + r.text + "\n";
  for (const PlanRecord& p : *plans)
    text += "plan " + to_string(p.id) + " " + std::to_string(p.created_ms) + " " + std::to_string(p.state) + " " + p.document +
            " " + p.findings + " " + p.progress + "\n";
  for (const DatabaseRecord& d : *databases)
    text += "database " + to_string(d.id) + " " + std::to_string(d.epoch) + " " + d.name + " " + d.backend + " " + d.path +
            " " + d.options + " " + std::to_string(d.is_created) + " " + std::to_string(int(d.state)) + " " + d.address + "\n";
  for (const RegionRecord& r : *regions)
    text += "region " + to_string(r.id) + " " + std::to_string(r.epoch) + " " + r.name + " " + r.target + " " +
            to_string(r.pool) + " " + extent(r.extent) + " " + std::to_string(r.size_bytes) + "\n";
  for (const MovedRecord& m : *moved)
    text += "moved " + to_string(m.id) + " " + std::to_string(m.epoch) + " " + m.name + " " + m.address + " " + m.target + "\n";
  for (const OutboundJob& j : *outbound) {
    text += "outbound " + to_string(j.job) + " " + std::to_string(int(j.state)) + " " + std::to_string(j.is_move) + " " +
            std::to_string(j.source_survives) + " " + j.address + " " + j.target + " " + to_string(j.destination_node) + "\n";
    objects(j.objects);
  }
  for (const InboundJob& j : *inbound) {
    text += "inbound " + to_string(j.job) + " " + std::to_string(int(j.state)) + " " + j.source_address + " " + j.target + " " +
            to_string(j.pool) + " " + std::to_string(j.target_survives) + " " + to_string(j.source_node) + "\n";
    objects(j.objects);
    auto checkpoint = journal.checkpoint(j.job);
    if (!checkpoint) return "unreadable";
    for (const auto& listing : checkpoint->listings) text += "  listing " + to_string(digest_of(listing)) + "\n";
    for (const CheckpointChunk& chunk : checkpoint->chunks) {
      text += "checkpoint " + std::to_string(chunk.chunk) + " " + std::to_string(checkpoint->block_bytes);
      for (const Digest& digest : chunk.blocks) text += " " + to_string(digest);
      text += "\n";
    }
  }
  return text;
}

using test::read_file;

inline void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace godwit::journal
