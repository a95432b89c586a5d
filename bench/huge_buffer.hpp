// HugeBuffer: touched memory on huge pages where there are any, as the raw loop and the daemons have it.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace godwit::bench {

class HugeBuffer {
 public:
  // Zeros. Throws std::bad_alloc.
  explicit HugeBuffer(size_t bytes) : bytes_(bytes) {
    constexpr size_t kHugePageBytes = size_t{2} << 20;
    const size_t whole = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
    start_.reset(static_cast<char*>(std::aligned_alloc(kHugePageBytes, whole)));
    if (!start_) throw std::bad_alloc();
    madvise(start_.get(), whole, MADV_HUGEPAGE);  // A kernel without them is slower, no more.
    std::memset(start_.get(), 0, whole);
  }

  char* data() const { return start_.get(); }
  size_t size() const { return bytes_; }

 private:
  struct Free {
    void operator()(char* start) const { std::free(start); }
  };
  size_t bytes_;
  std::unique_ptr<char, Free> start_;
};

}  // namespace godwit::bench
