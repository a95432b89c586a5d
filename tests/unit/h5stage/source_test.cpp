#include "godwit-h5stage/source.hpp"

#include <algorithm>

#include "expect_failure.hpp"

namespace godwit::h5stage {
namespace {

using Paths = std::vector<std::string>;

Source parse(std::string_view text, const Paths& files = {"run.h5"}) {
  return parse_source(text, [&](const std::string& name) { return std::ranges::find(files, name) != files.end(); });
}

TEST(Source, AFileAloneIsAllOfIt) {
  EXPECT_EQ(parse("run.h5").file, "run.h5");
  EXPECT_EQ(parse("run.h5").paths, Paths{});
}

TEST(Source, DatasetsAreMadeAbsoluteAndComeOnce) {
  const Source source = parse("run.h5:fields//t/,/u,/fields/t,/");
  EXPECT_EQ(source.file, "run.h5");
  EXPECT_EQ(source.paths, (Paths{"/fields/t", "/u", "/"}));
}

TEST(Source, CommasAndBackslashesOfNamesAreEscaped) {
  EXPECT_EQ(parse(R"(run.h5:a\,b,c\\,d\e)").paths, (Paths{"/a,b", R"(/c\)", R"(/d\e)"}));
}

TEST(Source, TheLongestNameThatExistsIsTheFile) {
  EXPECT_EQ(parse("run:7.h5", {"run", "run:7.h5"}).file, "run:7.h5");
  const Source source = parse("run:7.h5:/a:b", {"run", "run:7.h5"});
  EXPECT_EQ(source.file, "run:7.h5");
  EXPECT_EQ(source.paths, Paths{"/a:b"});
}

TEST(Source, AFileThatIsNotThereEndsAtTheFirstColon) {
  const Source source = parse("gone.h5:/a:b", {});
  EXPECT_EQ(source.file, "gone.h5");
  EXPECT_EQ(source.paths, Paths{"/a:b"});
}

TEST(Source, WhatNamesNothingIsRefused) {
  for (const char* text : {"", ":", ":/a"}) expect_failure(GODWIT_ERR_INVALID, "names no file", [&] { parse(text); });
  for (const char* text : {"run.h5:", "run.h5:a,", "run.h5:a,,b"})
    expect_failure(GODWIT_ERR_INVALID, "without a name", [&] { parse(text); });
}

TEST(Source, AGroupTakesAllBelowItAndThoseAboveAreOnTheWay) {
  const Source source = parse("run.h5:/fields/t");
  EXPECT_EQ(take_of(source, "/"), Take::kPassage);
  EXPECT_EQ(take_of(source, "/fields"), Take::kPassage);
  EXPECT_EQ(take_of(source, "/fields/t"), Take::kWhole);
  EXPECT_EQ(take_of(source, "/fields/t/x"), Take::kWhole);
  EXPECT_EQ(take_of(source, "/fields/tt"), Take::kNothing);
  EXPECT_EQ(take_of(source, "/field"), Take::kNothing);
  EXPECT_EQ(take_of(source, "/u"), Take::kNothing);
  EXPECT_EQ(named_by(source, "/fields/t"), 0u);
  EXPECT_EQ(named_by(source, "/fields"), 1u);
}

TEST(Source, TheRootAndNothingNamedTakeAll) {
  EXPECT_EQ(take_of(parse("run.h5"), "/a"), Take::kWhole);
  EXPECT_EQ(take_of(parse("run.h5:/"), "/a/b"), Take::kWhole);
  EXPECT_EQ(take_of(parse("run.h5:/b/c,/"), "/a"), Take::kWhole);
}

}  // namespace
}  // namespace godwit::h5stage
