// What the journal keeps of a job that was asked for: JSON text into a request.
//
// Must hold: whatever is accepted travels in a way that there is, and is the same after it was written and read once more; what
// is refused is kCorrupt, with a text that can be logged. No exception of the JSON library comes through.
#include "base/log.hpp"
#include "engine/job_request.hpp"
#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit;
  const auto kept = engine::parse_request(fuzz::text_of(data, size));
  if (!kept) {
    fuzz::must(kept.error().code == Errc::kCorrupt, "a bad request is kCorrupt", kept.error().text);
    fuzz::must(log::printable(kept.error().text) == kept.error().text, "an error can be logged", kept.error().text);
    return 0;
  }
  std::visit([](const auto& asked) { fuzz::must(bool(model::check(asked.transfer)), "a transfer does not contradict itself"); },
             kept->request);
  const std::string text = engine::to_json(*kept);
  const auto again = engine::parse_request(text);
  fuzz::must(bool(again), "what we write can be read", again ? "" : again.error().text);
  fuzz::must(engine::to_json(*again) == text, "a request is the same after it was written and read", text);
  return 0;
}
