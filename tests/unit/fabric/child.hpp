// Child: a fabric_peer process; killed, and its shared memory removed, with the test.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "fixture.hpp"

extern char** environ;

namespace godwit::fabric {

class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "fabric_peer";
    arguments.insert(arguments.begin(), program);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, pointers.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = ends[0];
  }
  ~Child() {
    kill_now();
    close(output_);
    // What a killed process leaves; the product sweeps after a minute.
    std::error_code ignored;
    for (const auto& file : std::filesystem::directory_iterator("/dev/shm", ignored)) {
      const std::string name = file.path().filename();
      if (name.starts_with("godwit-") && name.find("." + std::to_string(pid_) + ".") != name.npos) {
        std::filesystem::remove(file.path(), ignored);
      }
    }
    if (address_.provider == "shm") std::filesystem::remove("/dev/shm/" + address_.location, ignored);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next line that it prints.
  std::string line() {
    std::string line;
    char byte = 0;
    while (read(output_, &byte, 1) == 1 && byte != '\n') line += byte;
    return line;
  }
  // What `serve` printed.
  Address address() {
    const std::string line = this->line();
    auto address = parse_address(line);
    EXPECT_TRUE(address) << "the child printed '" << line << "'";
    if (address) address_ = *address;
    return address_;
  }
  void kill_now() {
    if (over_) return;
    kill(pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    over_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
  int output_ = -1;
  bool over_ = false;
  Address address_;
};

// A channel to a child that serves, and the memory that the child exposes.
struct ToChild {
  explicit ToChild(const std::string& provider, size_t bytes, HubSettings settings = {})
      : child({"serve", provider, free_location(provider, peer_host()), std::to_string(bytes),
               std::to_string(settings.spin.count())}),
        local(bytes) {
    address = child.address();
    domain = open_domain(provider);
    auto connected = Channel::connect(domain, address, Hello{}, Deadline::after(5s), settings);
    EXPECT_TRUE(connected) << connected.error().text;
    if (!connected) return;
    channel.emplace(std::move(*connected));
    auto first = channel->wait(Deadline::after(5s));
    EXPECT_TRUE(first) << first.error().text;
    if (!first) return;
    std::memcpy(&remote, std::get<Message>(*first).data(), sizeof(remote));
    auto own = domain->register_memory(local, Access::kLocal);
    EXPECT_TRUE(own);
    registration.emplace(std::move(*own));
  }

  // The child stops looking at the fabric, outside it: one that dies inside shm takes locks that we need with it.
  void stop() {
    const std::string text = "stop";
    EXPECT_TRUE(channel->send(std::as_bytes(std::span(text))));
    EXPECT_EQ(child.line(), "stopped");
  }

  Child child;
  Address address;
  std::shared_ptr<Domain> domain;
  std::vector<std::byte> local;
  std::optional<Registration> registration;
  std::optional<Channel> channel;  // Closed first.
  RemoteMemory remote;
};

}  // namespace godwit::fabric
