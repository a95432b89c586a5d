// What stands between HDF5, which is C, and this library: errors become entries of HDF5's error stack.
#pragma once

#include <godwit/godwit_hdf5.h>

#include <exception>
#include <godwit/godwit.hpp>
#include <new>
#include <string>

namespace godwit::hdf5 {

// What an entry of the error stack says that Godwit's own does not: where, and which of HDF5's minor errors it is.
struct Site {
  const char* function;
  hid_t minor;
};

inline void push_error(const Site& site, int code, const char* text) {
  H5Epush2(H5E_DEFAULT, "godwit", site.function, 0, H5E_ERR_CLS, H5E_VFL, site.minor, "%s: %s; %s", godwit_error_name(code),
           text, godwit_error_remedy(code));
}

// Returns what `body` returns, or, with an entry on the error stack, `failure`.
template <class T, class Body>
T at_hdf5_boundary(const Site& site, T failure, Body body) noexcept {
  try {
    return body();
  } catch (const Error& error) {
    push_error(site, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    push_error(site, GODWIT_ERR_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    push_error(site, GODWIT_ERR_INTERNAL, error.what());
  }
  return failure;
}

}  // namespace godwit::hdf5
