// File descriptors that close themselves, and reads and writes that finish.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace godwit::cli {

// So many bytes are held at once when a file and a region are copied into each other.
constexpr size_t kChunkBytes = size_t{16} << 20;

class File {
 public:
  // For reading; "-" is standard input. Throws Failure.
  static File open_input(const std::string& path);
  // A new file for writing, or an emptied one if `replace`; "-" is standard output. Throws Failure (EXISTS, IO, ...).
  static File create_output(const std::string& path, bool replace);
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  // Fills the buffer unless the file ends first; the number of bytes read. Throws Failure.
  size_t read(std::span<std::byte> buffer) const;
  void write(std::span<const std::byte> bytes) const;
  // fsync (regular files) and close, whose error counts too. Throws Failure.
  void finish();
  // Of a regular file; throws Failure (INVALID) for anything else.
  uint64_t size_bytes() const;
  bool is_regular() const;

 private:
  File(int fd, std::string path, bool owned) : fd_(fd), path_(std::move(path)), owned_(owned) {}
  int fd_;
  std::string path_;
  bool owned_;
};

}  // namespace godwit::cli
