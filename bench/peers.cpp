#include "bench/peers.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "bench/nodes.hpp"

namespace godwit::bench {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

int checked(int result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string(what) + " failed");
  return result;
}

int port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  checked(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return ntohs(address.sin_port);
}

// A listening socket on a free port.
int listener() {
  const int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const sockaddr_in address = loopback(0);
  checked(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  checked(listen(fd, 1), "listen");
  return fd;
}

pid_t spawn(const std::vector<std::string>& command, int in, int out) {
  const pid_t parent = getpid();
  const pid_t process = checked(fork(), "fork");
  if (process != 0) return process;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  if (in >= 0) dup2(in, STDIN_FILENO);
  if (out >= 0) dup2(out, STDOUT_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

void await(pid_t process, const std::vector<std::string>& command) {
  int status = 0;
  if (waitpid(process, &status, 0) != process || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error(fmt::format("{} failed ({})", command[0], status));
}

}  // namespace

double run_through_socket(const std::vector<std::string>& sender, const std::vector<std::string>& receiver) {
  const int listening = listener();
  const int out = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const sockaddr_in address = loopback(port_of(listening));
  checked(connect(out, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
  const int in = checked(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC), "accept");
  close(listening);
  return seconds_of([&] {
    const pid_t receiving = spawn(receiver, in, -1);
    const pid_t sending = spawn(sender, -1, out);
    close(in);
    close(out);
    await(sending, sender);
    await(receiving, receiver);
  });
}

bool RsyncDaemon::is_installed() { return std::system("command -v rsync >/dev/null 2>&1") == 0; }

RsyncDaemon::RsyncDaemon(const std::string& directory) : directory_(directory) {
  const int probe = listener();
  port_ = port_of(probe);
  close(probe);
  const std::string config = directory + ".rsyncd.conf";
  std::ofstream(config) << fmt::format("use chroot = no\nuid = {}\ngid = {}\n[there]\npath = {}\nread only = no\n", getuid(),
                                       getgid(), directory);
  process_ = spawn({"rsync", "--daemon", "--no-detach", "--address=127.0.0.1", fmt::format("--port={}", port_),
                    "--config=" + config, "--log-file=/dev/null"},
                   -1, -1);
  for (int tries = 0; tries < 200; ++tries) {
    const int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    const sockaddr_in address = loopback(port_);
    const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (connected) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("the rsync daemon was not ready within 2 s");
}

RsyncDaemon::~RsyncDaemon() {
  kill(process_, SIGTERM);
  waitpid(process_, nullptr, 0);
}

double RsyncDaemon::copy(const std::string& path) const {
  const std::vector<std::string> command{"rsync", "-a", "-W", path, fmt::format("rsync://127.0.0.1:{}/there/", port_)};
  return seconds_of([&] { await(spawn(command, -1, -1), command); });
}

}  // namespace godwit::bench
