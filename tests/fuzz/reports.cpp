// A daemon's report (doctor, job) as the command line shows it: any JSON that a peer may send.
//
// Must hold: it becomes text without control characters that could drive a terminal, and no longer than such a report can be.
#include "doctor_text.hpp"
#include "fuzz.hpp"
#include "text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit;
  const auto json = cli::Json::parse(data, data + size, nullptr, false);
  if (json.is_discarded()) return 0;
  const std::string text = cli::as_text(json);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    fuzz::must(end != std::string::npos, "every line ends", text);
    const std::string line = text.substr(begin, end - begin);
    fuzz::must(cli::printable(line) == line, "every line is printable", line);
    begin = end + 1;
  }
  return 0;
}
