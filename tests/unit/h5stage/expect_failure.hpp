// expect_failure: that a call throws Failure with this error, and a text that has this in it.
#pragma once

#include <godwit/godwit.h>
#include <gtest/gtest.h>

#include <string>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {

template <class Call>
void expect_failure(int error, const std::string& told, Call call) {
  try {
    call();
    ADD_FAILURE() << "it did not fail";
  } catch (const Failure& failure) {
    EXPECT_STREQ(godwit_error_name(failure.error()), godwit_error_name(error)) << failure.what();
    EXPECT_NE(std::string(failure.what()).find(told), std::string::npos) << failure.what();
  }
}

}  // namespace godwit::h5stage
