// What a client asks on a control connection, answered by the daemon's own code over a target in memory.
//
// Input: either one message as it is, or a list of well-formed requests with hostile numbers and names.
// Must hold: every request gets an answer, which is a message of the protocol with its number; a region's bytes are what was
// written to it and nobody else's; nothing is read or written beyond a region; the numbers of a listing add up.
#include "daemon/requests.hpp"

#include <map>

#include "base/log.hpp"
#include "fuzz.hpp"

namespace godwit::fuzz {
namespace {

using daemon::Node;

constexpr uint64_t kCapacityBytes = 256_KiB;

// Regions on a target in memory leave nothing in the journal: one serves all runs.
journal::Journal& shared_journal() {
  static const auto journal = [] {
    auto opened = journal::Journal::open(make_directory());
    must(bool(opened), "a journal can be made");
    return std::move(*opened);
  }();
  return *journal;
}

std::unique_ptr<objects::RegionStore> new_store() {
  std::vector<std::unique_ptr<pmem::Target>> targets;
  auto target = pmem::open_target({"fast", pmem::Kind::kDram, "", kCapacityBytes, false});
  must(bool(target), "a target in memory can be made");
  targets.push_back(std::move(*target));
  return std::make_unique<objects::RegionStore>(std::move(targets), shared_journal());
}

// One daemon without its threads and connections: jobs are taken, and wait.
class Daemon {
 public:
  Daemon() {
    node_.store = new_store();
    node_.journal.reset(&shared_journal());
    node_.permissions = std::make_shared<objects::Permissions>(*node_.journal);
    node_.arrived = std::make_shared<objects::ArrivedFilesets>();
    node_.filesets =
        std::make_unique<objects::FilesetStore>(std::vector<objects::FileRoot>{}, *node_.journal, *node_.permissions);
    node_.databases = std::make_unique<objects::DatabaseStore>("", *node_.journal);
    node_.jobs = std::make_unique<engine::JobTable>(node_.settings.engine, *node_.store, *node_.filesets, *node_.databases,
                                                    *node_.journal, node_.domains, [](const Id&) {});
    node_.plans =
        std::make_unique<engine::PlanTable>(node_.settings.engine, *node_.store, *node_.filesets, *node_.databases,
                                            *node_.permissions, *node_.journal, node_.domains, *node_.jobs, node_.plan_host());
    node_.addresses = {address_};
  }
  ~Daemon() {
    node_.plans.reset();
    node_.jobs.reset();
    node_.filesets.reset();
    node_.databases.reset();
    node_.store.reset();
    (void)node_.journal.release();  // Not its own.
  }

  // The answer; as long as the next request is not made.
  const protocol::Decoded& ask(std::span<const std::byte> bytes) {
    const auto message = protocol::decode(bytes);
    must(bool(message), "our own request is a message");
    return answer(*message);
  }
  const protocol::Decoded& answer(const protocol::Decoded& message) {
    (void)requests_.waits_for_disk(message);
    const auto reply = requests_.answer(message);
    auto decoded = protocol::decode(reply);
    must(bool(decoded), "an answer is a message");
    must(decoded->request() == message.request(), "an answer carries its request's number");
    if (const auto* error = decoded->body<wire::ErrorReply>())
      must(log::printable(protocol::text_of(error->text())) == protocol::text_of(error->text()), "an error can be logged",
           protocol::text_of(error->text()));
    reply_.emplace(std::move(*decoded));
    return *reply_;
  }

 private:
  const std::string address_ = "tcp://127.0.0.1:7411";
  Node node_{daemon::Settings{}};
  daemon::Requests requests_{node_, address_, {.may_all = true}};
  std::optional<protocol::Decoded> reply_;
};

// ---------------------------------------------------------------- a list of requests

// Says what the regions must hold.
class Client {
 public:
  explicit Client(Input& input) : input_(input) {}

  void run() {
    for (unsigned left = 40; left > 0 && !input_.empty(); --left) step();
    check_listing();
  }

 private:
  void step() {
    switch (input_.byte() % 9) {
      case 0: return create();
      case 1: return write();
      case 2: return read();
      case 3: return erase();
      case 4: return stat();
      case 5: return migrate();
      case 6: return ask_about_job();
      case 7: return plan();
      default: return list();
    }
  }

  template <class T>
  const protocol::Decoded& ask(flatbuffers::Offset<T> body) {
    return daemon_.ask(encoder_.finish(++number_, body));
  }

  // One of those that are there, or an id of nobody.
  Id any_region() {
    const size_t at = input_.byte();
    if (at >= regions_.size()) return Id{at, 1};
    return std::next(regions_.begin(), static_cast<ptrdiff_t>(at))->first;
  }

  void create() {
    const std::string name = input_.text();
    const std::string target = input_.byte() % 8 == 0 ? input_.text() : "fast";
    const bool has_data = input_.byte() % 2 == 0;
    const std::string data = has_data ? input_.text() : std::string();
    const uint64_t size_bytes = input_.byte() % 2 == 0 && has_data ? data.size() : input_.any_number();
    auto& builder = encoder_.builder();
    const auto target_at = builder.CreateString(target);
    const auto name_at = name.empty() ? 0 : builder.CreateString(name);
    const auto data_at = has_data ? builder.CreateVector(reinterpret_cast<const uint8_t*>(data.data()), data.size()) : 0;
    const auto& reply = ask(wire::CreateRegionCreateRequest(builder, target_at, name_at, size_bytes, data_at));
    const auto* made = reply.body<wire::RegionReply>();
    if (made == nullptr) return;
    must(made->region()->size_bytes() == size_bytes && size_bytes <= kCapacityBytes,
         "a region has the size that was asked for");
    std::string bytes(size_bytes, '\0');
    if (has_data) must(data.size() == size_bytes, "a region's data is of its size"), bytes = data;
    regions_[protocol::from_wire(*made->region()->id())] = std::move(bytes);
  }

  void write() {
    const Id id = any_region();
    const uint64_t offset = input_.any_number();
    const std::string data = input_.text();
    const uint64_t length = input_.byte() % 8 == 0 ? input_.any_number() : data.size();
    auto& builder = encoder_.builder();
    const wire::Id wire_id = protocol::to_wire(id);
    const auto bytes = builder.CreateVector(reinterpret_cast<const uint8_t*>(data.data()), data.size());
    const auto& reply = ask(wire::CreateRegionWriteRequest(builder, &wire_id, offset, length, bytes));
    if (reply.body<wire::DoneReply>() == nullptr) return;
    const auto region = regions_.find(id);
    must(region != regions_.end() && length == data.size(), "only a region can be written, by as much as was sent");
    must(lies_within({offset, length}, region->second.size()), "nothing is written beyond a region");
    region->second.replace(offset, length, data);
  }

  void read() {
    const Id id = any_region();
    const uint64_t offset = input_.any_number();
    const uint64_t length = input_.any_number();
    const wire::Id wire_id = protocol::to_wire(id);
    const auto& reply = ask(wire::CreateRegionReadRequest(encoder_.builder(), &wire_id, offset, length));
    const auto* got = reply.body<wire::RegionReadReply>();
    if (got == nullptr) return;
    const auto region = regions_.find(id);
    must(region != regions_.end() && lies_within({offset, length}, region->second.size()), "nothing is read beyond a region");
    const auto* first = reinterpret_cast<const char*>(got->data()->data());
    must(std::string_view(first, got->data()->size()) == std::string_view(region->second).substr(offset, length),
         "a region's bytes are what was written to it");
  }

  void erase() {
    const Id id = any_region();
    const wire::Id wire_id = protocol::to_wire(id);
    const auto& reply = ask(wire::CreateRegionEraseRequest(encoder_.builder(), &wire_id));
    if (reply.body<wire::DoneReply>() != nullptr) must(regions_.erase(id) == 1, "only a region can be erased");
  }

  void stat() {
    const std::string name = input_.text();
    auto& builder = encoder_.builder();
    const auto name_at = builder.CreateString(name);
    const auto& reply = ask(wire::CreateRegionStatRequest(builder, nullptr, name_at));
    if (const auto* found = reply.body<wire::RegionReply>())
      must(protocol::text_of(found->region()->name()) == name &&
               regions_.count(protocol::from_wire(*found->region()->id())) == 1,
           "a name finds its region");
  }

  void migrate() {
    std::vector<wire::Id> ids;
    for (unsigned left = input_.byte() % 4; left > 0; --left) ids.push_back(protocol::to_wire(any_region()));
    auto& builder = encoder_.builder();
    const auto ids_at = builder.CreateVectorOfStructs(ids);
    const auto destination = builder.CreateString(input_.byte() % 2 == 0 ? "tcp://127.0.0.1:1" : input_.text());
    const auto target = builder.CreateString(input_.text());
    const auto name = builder.CreateString(input_.byte() % 2 == 0 ? std::string() : input_.text());
    const bool copy = input_.byte() % 2 == 0;
    const uint64_t block_bytes = input_.any_number();
    const auto streams = static_cast<uint32_t>(input_.any_number());
    const wire::Transfer transfer(block_bytes, input_.any_number(), streams, input_.byte(), input_.byte(),
                                  input_.byte() % 2 == 0, input_.byte() % 2 == 0, static_cast<uint16_t>(input_.any_number()),
                                  static_cast<uint16_t>(input_.any_number()), input_.any_number());
    const auto& reply = ask(wire::CreateMigrateRequest(builder, ids_at, destination, target, copy, name, &transfer));
    if (const auto* job = reply.body<wire::JobReply>()) jobs_.push_back(protocol::from_wire(*job->entry()->job()));
  }

  void ask_about_job() {
    const size_t at = input_.byte();
    const wire::Id job = protocol::to_wire(at < jobs_.size() ? jobs_[at] : Id{at, 2});
    const auto first = static_cast<uint32_t>(input_.any_number());
    const auto limit = static_cast<uint32_t>(input_.any_number());
    ask(wire::CreateJobResultsRequest(encoder_.builder(), &job, first, limit));
    // The name of an action that there is not is no action. A checkpoint would ask another node.
    const auto action = static_cast<wire::JobAction>(input_.byte() % 10);
    if (action != wire::JobAction::checkpoint)
      ask(wire::CreateJobRequest(encoder_.builder(), &job, 0, action, input_.any_number()));
    ask(wire::CreateBandwidthRequest(encoder_.builder(), input_.byte() % 2 == 0, input_.any_number()));
    ask(wire::CreateJobEventsRequest(encoder_.builder(), &job, input_.any_number()));
    ask(wire::CreateDecisionRequest(encoder_.builder(), &job));
    ask(wire::CreateLocateRequest(encoder_.builder(), &job, 0, input_.byte(), input_.byte() % 2 == 0));
    ask(wire::CreateGroupRequest(encoder_.builder()));
    ask(wire::CreateJobListRequest(encoder_.builder()));
  }

  // To a node of a provider that there is not: nobody is asked.
  void plan() {
    const std::string name = input_.text();
    const std::string document = input_.byte() % 4 == 0
                                     ? name
                                     : R"({"to": "none://a", "target": "fast", "stages": [{"objects": [{"region": ")" +
                                           to_string(any_region()) + R"("}]}]})";
    auto& builder = encoder_.builder();
    const auto document_at = builder.CreateString(document);
    const auto& made = ask(wire::CreatePlanRequest(builder, document_at));
    const auto* reply = made.body<wire::PlanReply>();
    const wire::Id id = reply == nullptr || input_.byte() % 4 == 0 ? wire::Id(input_.byte(), 3) : *reply->id();
    ask(wire::CreatePlanListRequest(encoder_.builder()));
    // The name of an action that there is not is no action; what would not work is not executed.
    const auto action = static_cast<wire::PlanAction>(input_.byte() % 8);
    const auto& answer = ask(wire::CreatePlanActionRequest(encoder_.builder(), &id, action));
    must(action != wire::PlanAction::execute || answer.body<wire::ErrorReply>() != nullptr, "a plan to nowhere does not run");
    const wire::Id again = id;
    ask(wire::CreatePlanActionRequest(encoder_.builder(), &again, wire::PlanAction::remove));
  }

  void list() {
    const wire::Id after = protocol::to_wire(any_region());
    const auto limit = static_cast<uint32_t>(input_.any_number());
    const auto& reply = ask(wire::CreateRegionListRequest(encoder_.builder(), 0, &after, limit));
    if (const auto* page = reply.body<wire::RegionListReply>())
      must(limit == 0 || page->regions()->size() <= limit, "a page is as long as was asked for");
  }

  void check_listing() {
    const auto& reply = ask(wire::CreateTargetListRequest(encoder_.builder()));
    const auto* list = reply.body<wire::TargetListReply>();
    must(list != nullptr && list->targets()->size() == 1, "the targets are listed");
    const auto& target = *list->targets()->Get(0);
    must(target.regions() == regions_.size(), "every region is counted");
    uint64_t bytes = 0;
    for (const auto& [id, content] : regions_) bytes += content.size();
    must(bytes <= target.used_bytes() && target.used_bytes() <= target.capacity_bytes(), "used space holds the regions");
    must(target.largest_free_bytes() <= target.capacity_bytes() - target.used_bytes(), "free space is what is not used");
  }

  Input& input_;
  Daemon daemon_;
  protocol::Encoder encoder_;
  uint64_t number_ = 0;
  std::map<Id, std::string> regions_;
  std::vector<Id> jobs_;
};

// ---------------------------------------------------------------- one message

void ask_as_it_is(Input& input) {
  const auto bytes = std::as_bytes(input.rest());
  const auto message = protocol::decode(bytes);
  // The doctor reads nothing of its message, and looks at the whole machine.
  if (!message || message->type() == wire::Body::DoctorRequest) return;
  Daemon().answer(*message);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  godwit::fuzz::Input input(data, size);
  if (input.byte() % 8 == 0)
    godwit::fuzz::ask_as_it_is(input);
  else
    godwit::fuzz::Client(input).run();
  return 0;
}
