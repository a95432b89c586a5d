/* make_h5stage_files KIND FILE: HDF5 files for the tests of godwit-h5stage. KIND is `all`, every kind of object and dataset
 * that travels; `large`, one contiguous dataset of 48 MiB and one compressed of 24; `five`, one of
 * 4 KiB and one of 5 MiB; or one that is refused, which is its name
 * in refusals[]. */
#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static hid_t must(hid_t result, const char* what) {
  if (result >= 0) return result;
  fprintf(stderr, "make_h5stage_files: %s failed\n", what);
  exit(1);
}

/* Bytes that compress, and that no two places have alike. */
static void* some_bytes(size_t size, unsigned seed) {
  uint8_t* bytes = malloc(size + 8);
  for (size_t i = 0; i < size; i += 4) {
    const uint32_t value = (uint32_t)(i / 64 * 2654435761u + seed);
    memcpy(bytes + i, &value, 4);
  }
  return bytes;
}

static hid_t write_set(hid_t group, const char* name, hid_t type, hid_t space, hid_t how) {
  const hid_t set = must(H5Dcreate2(group, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT), name);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (count > 0) {
    void* bytes = some_bytes((size_t)count * H5Tget_size(type), (unsigned)name[0]);
    must(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes), name);
    free(bytes);
  }
  return set;
}

static void text_attribute(hid_t object, const char* name, const char* value) {
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE);
  const hid_t attribute = must(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), name);
  must(H5Awrite(attribute, type, &value), name);
  H5Aclose(attribute), H5Tclose(type), H5Sclose(space);
}

static void numbers_attribute(hid_t object, const char* name, hid_t type) {
  const hsize_t size[2] = {2, 3};
  const double values[6] = {1, 2.5, -3, 1e300, 0, 7};
  const hid_t space = H5Screate_simple(2, size, NULL),
              attribute = must(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), name);
  must(H5Awrite(attribute, H5T_NATIVE_DOUBLE, values), name);
  H5Aclose(attribute), H5Sclose(space);
}

/* As netCDF has its dimension scales: sequences of references, and compounds with one. */
static void reference_attributes(hid_t file, hid_t object, const char* to) {
  hobj_ref_t reference;
  must(H5Rcreate(&reference, file, to, H5R_OBJECT, -1), "reference");
  const hsize_t one = 1;
  const hid_t sequence = H5Tvlen_create(H5T_STD_REF_OBJ), space = H5Screate_simple(1, &one, NULL);
  hvl_t value = {1, &reference};
  hid_t attribute = must(H5Acreate2(object, "DIMENSION_LIST", sequence, space, H5P_DEFAULT, H5P_DEFAULT), "DIMENSION_LIST");
  must(H5Awrite(attribute, sequence, &value), "DIMENSION_LIST");
  H5Aclose(attribute), H5Tclose(sequence);
  struct {
    hobj_ref_t reference;
    int dimension;
  } pair = {reference, 3};
  const hid_t compound = H5Tcreate(H5T_COMPOUND, sizeof pair);
  H5Tinsert(compound, "dataset", 0, H5T_STD_REF_OBJ);
  H5Tinsert(compound, "dimension", sizeof reference, H5T_NATIVE_INT);
  attribute = must(H5Acreate2(object, "REFERENCE_LIST", compound, space, H5P_DEFAULT, H5P_DEFAULT), "REFERENCE_LIST");
  must(H5Awrite(attribute, compound, &pair), "REFERENCE_LIST");
  H5Aclose(attribute), H5Tclose(compound), H5Sclose(space);
}

static hid_t chunked(unsigned rank, const hsize_t* chunk) {
  const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(how, (int)rank, chunk);
  return how;
}

static void make_layouts(hid_t file) {
  const hid_t group = must(H5Gcreate2(file, "layouts", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "layouts");
  const hsize_t size[3] = {37, 50, 61}, chunk[3] = {8, 25, 16}, most[3] = {H5S_UNLIMITED, 50, 100};
  const hid_t space = H5Screate_simple(3, size, NULL), grows = H5Screate_simple(3, size, most);
  H5Dclose(write_set(group, "contiguous", H5T_STD_I32BE, space, H5P_DEFAULT));
  hid_t how = chunked(3, chunk);
  H5Dclose(write_set(group, "plain chunks", H5T_IEEE_F32LE, grows, how));
  H5Pset_shuffle(how), H5Pset_deflate(how, 4), H5Pset_fletcher32(how);
  const double fill = -7.25;
  H5Pset_fill_value(how, H5T_NATIVE_DOUBLE, &fill);
  H5Dclose(write_set(group, "gzip,comma", H5T_IEEE_F64LE, grows, how));
  /* Never written, and written in part. */
  H5Dclose(must(H5Dcreate2(group, "untouched", H5T_IEEE_F64LE, grows, H5P_DEFAULT, how, H5P_DEFAULT), "untouched"));
  const hid_t part = must(H5Dcreate2(group, "a part", H5T_IEEE_F64LE, grows, H5P_DEFAULT, how, H5P_DEFAULT), "a part");
  const hsize_t start[3] = {3, 7, 9}, count[3] = {4, 5, 6};
  const hid_t chosen = H5Scopy(grows), memory = H5Screate_simple(3, count, NULL);
  H5Sselect_hyperslab(chosen, H5S_SELECT_SET, start, NULL, count, NULL);
  double* values = some_bytes(4 * 5 * 6 * sizeof *values, 9);
  must(H5Dwrite(part, H5T_NATIVE_DOUBLE, memory, chosen, H5P_DEFAULT, values), "a part");
  free(values);
  H5Dclose(part), H5Sclose(chosen), H5Sclose(memory), H5Pclose(how);
  /* Room given at once. */
  how = chunked(3, chunk);
  H5Pset_alloc_time(how, H5D_ALLOC_TIME_EARLY);
  H5Dclose(write_set(group, "early", H5T_STD_U16LE, space, how));
  H5Pclose(how);
  how = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(how, H5D_COMPACT);
  const hsize_t few = 100, none = 0;
  const hid_t small = H5Screate_simple(1, &few, NULL), scalar = H5Screate(H5S_SCALAR), null = H5Screate(H5S_NULL);
  H5Dclose(write_set(group, "compact", H5T_STD_I64LE, small, how));
  H5Pclose(how);
  const hsize_t unlimited = H5S_UNLIMITED, sixteen = 16;
  const hid_t empty = H5Screate_simple(1, &none, &unlimited), zero = H5Screate_simple(1, &none, NULL);
  how = chunked(1, &sixteen);
  H5Dclose(write_set(group, "empty", H5T_IEEE_F64LE, empty, how));
  H5Dclose(write_set(group, "zero", H5T_IEEE_F64LE, zero, H5P_DEFAULT));
  H5Dclose(write_set(group, "scalar", H5T_IEEE_F64LE, scalar, H5P_DEFAULT));
  H5Dclose(write_set(group, "null", H5T_IEEE_F64LE, null, H5P_DEFAULT));
  H5Pclose(how), H5Sclose(empty), H5Sclose(zero), H5Sclose(small), H5Sclose(scalar), H5Sclose(null), H5Sclose(space),
      H5Sclose(grows);
  H5Gclose(group);
}

static hid_t compound_type(void) {
  const hsize_t three = 3;
  const hid_t vector = H5Tarray_create2(H5T_IEEE_F64LE, 1, &three), inner = H5Tcreate(H5T_COMPOUND, 28),
              outer = H5Tcreate(H5T_COMPOUND, 40);
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 7);
  H5Tinsert(inner, "id", 0, H5T_STD_I32LE), H5Tinsert(inner, "at", 4, vector);
  H5Tinsert(outer, "name", 0, text), H5Tinsert(outer, "particle", 8, inner);
  H5Tclose(vector), H5Tclose(inner), H5Tclose(text);
  return outer;
}

static void make_types(hid_t file) {
  const hid_t group = must(H5Gcreate2(file, "types", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "types");
  const hsize_t size = 1000, pair = 2;
  const hid_t space = H5Screate_simple(1, &size, NULL);
  const hid_t text = H5Tcopy(H5T_C_S1), opaque = H5Tcreate(H5T_OPAQUE, 5), colour = H5Tenum_create(H5T_STD_U8LE);
  H5Tset_size(text, 13), H5Tset_strpad(text, H5T_STR_SPACEPAD), H5Tset_cset(text, H5T_CSET_UTF8);
  H5Tset_tag(opaque, "five bytes");
  for (uint8_t value = 0; value < 3; ++value) H5Tenum_insert(colour, (const char*[]){"red", "green", "blue"}[value], &value);
  const hid_t array = H5Tarray_create2(H5T_STD_I16BE, 1, &pair), compound = compound_type(), kept = compound_type();
  /* Named after the dataset that has it, in the order of names. */
  must(H5Tcommit2(group, "z particle", kept, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "commit");
  text_attribute(kept, "about", "a type that has a name");
  const struct {
    const char* name;
    hid_t type;
  } sets[] = {{"text", text},          {"opaque", opaque},       {"enum", colour},
              {"array", array},        {"compound", compound},   {"committed", kept},
              {"bits", H5T_STD_B16LE}, {"time", H5T_UNIX_D32LE}, {"big", H5T_IEEE_F64BE}};
  for (size_t i = 0; i < COUNT(sets); ++i) H5Dclose(write_set(group, sets[i].name, sets[i].type, space, H5P_DEFAULT));
  const hid_t scalar = H5Screate(H5S_SCALAR),
              attribute = must(H5Acreate2(group, "origin", kept, scalar, H5P_DEFAULT, H5P_DEFAULT), "origin");
  uint8_t value[40] = "origin";
  must(H5Awrite(attribute, kept, value), "origin");
  H5Aclose(attribute), H5Sclose(scalar);
  H5Tclose(text), H5Tclose(opaque), H5Tclose(colour), H5Tclose(array), H5Tclose(compound), H5Tclose(kept), H5Sclose(space),
      H5Gclose(group);
}

static void make_links(hid_t file) {
  const hid_t how = H5Pcreate(H5P_GROUP_CREATE);
  H5Pset_link_creation_order(how, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  H5Pset_attr_creation_order(how, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  const hid_t group = must(H5Gcreate2(file, "links", H5P_DEFAULT, how, H5P_DEFAULT), "links");
  text_attribute(group, "zeta", "first"), text_attribute(group, "alpha", "second");
  H5Lcreate_soft("/layouts/contiguous", group, "soft", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/nowhere", group, "dangling", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external("other.h5", "/there", group, "external", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_hard(file, "layouts/contiguous", group, "hard", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_hard(file, "/", group, "back to the root", H5P_DEFAULT, H5P_DEFAULT);
  const hid_t twice = must(H5Gcreate2(group, "a group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "a group");
  H5Lcreate_hard(group, "a group", file, "the same group", H5P_DEFAULT, H5P_DEFAULT);
  H5Oset_comment(twice, "a comment");
  H5Gclose(twice), H5Gclose(group), H5Pclose(how);
}

static void make_all(hid_t file) {
  text_attribute(file, "title", "every kind that travels: \xc3\xa4");
  numbers_attribute(file, "numbers", H5T_IEEE_F32BE);
  make_layouts(file), make_types(file), make_links(file);
  const hid_t set = must(H5Dopen2(file, "/layouts/contiguous", H5P_DEFAULT), "open");
  numbers_attribute(set, "range", H5T_NATIVE_DOUBLE);
  reference_attributes(file, set, "/types/enum");
  H5Dclose(set);
}

static void make_large(hid_t file) {
  const hsize_t size[2] = {3, 16 << 20}, flat[2] = {1024, 24 << 10}, chunk[2] = {100, 5000};
  const hid_t space = H5Screate_simple(2, size, NULL), flat_space = H5Screate_simple(2, flat, NULL), how = chunked(2, chunk);
  H5Pset_deflate(how, 1);
  H5Dclose(write_set(file, "rows", H5T_STD_U8LE, space, H5P_DEFAULT));
  H5Dclose(write_set(file, "packed", H5T_STD_U8LE, flat_space, how));
  H5Sclose(space), H5Sclose(flat_space), H5Pclose(how);
}

static void make_five(hid_t file) {
  const hsize_t size = 5 << 20, little = 4 << 10;
  const hid_t space = H5Screate_simple(1, &size, NULL), little_space = H5Screate_simple(1, &little, NULL);
  H5Dclose(write_set(file, "little", H5T_STD_U8LE, little_space, H5P_DEFAULT));
  H5Dclose(write_set(file, "more", H5T_STD_U8LE, space, H5P_DEFAULT));
  H5Sclose(space), H5Sclose(little_space);
}

// One group, /a and /b, of two datasets.
static void make_twice(hid_t file) {
  const hsize_t size = 64;
  const hid_t space = H5Screate_simple(1, &size, NULL);
  const hid_t group = must(H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "a");
  H5Dclose(write_set(group, "x", H5T_STD_U8LE, space, H5P_DEFAULT));
  H5Dclose(write_set(group, "y", H5T_STD_U8LE, space, H5P_DEFAULT));
  H5Lcreate_hard(file, "a", file, "b", H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(group), H5Sclose(space);
}

static void refuse_set(hid_t file, const char* name, hid_t type, hid_t how) {
  const hsize_t size = 4;
  const hid_t space = H5Screate_simple(1, &size, NULL);
  const hid_t group = must(H5Gcreate2(file, "deep", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "deep");
  H5Dclose(must(H5Dcreate2(group, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT), name));
  H5Gclose(group), H5Sclose(space);
}

static void make_refused(hid_t file, const char* kind) {
  hid_t type = H5Tcopy(H5T_STD_I32LE);
  const hid_t how = H5Pcreate(H5P_DATASET_CREATE), text = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, (hsize_t[]){4}, NULL);
  H5Tset_size(text, H5T_VARIABLE);
  if (strcmp(kind, "vlen") == 0) type = H5Tvlen_create(H5T_STD_I32LE);
  if (strcmp(kind, "text") == 0) type = text;
  if (strcmp(kind, "reference") == 0) type = H5T_STD_REF_OBJ;
  if (strcmp(kind, "compound") == 0) {
    type = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(type, "number", 0, H5T_STD_I32LE), H5Tinsert(type, "text", 8, H5Tarray_create2(text, 1, (hsize_t[]){1}));
  }
  if (strcmp(kind, "external") == 0) H5Pset_external(how, "beside.raw", 0, 16);
  if (strcmp(kind, "virtual") == 0) H5Pset_virtual(how, space, "beside.h5", "/set", space);
  refuse_set(file, kind, type, how);
}

int main(int count, char** words) {
  static const char* const refusals[] = {"vlen", "text", "reference", "compound", "external", "virtual"};
  if (count != 3) return fprintf(stderr, "make_h5stage_files KIND FILE\n"), 2;
  const hid_t how = H5Pcreate(H5P_FILE_CREATE);
  if (strcmp(words[1], "all") == 0) H5Pset_userblock(how, 512);
  const hid_t file = must(H5Fcreate(words[2], H5F_ACC_TRUNC, how, H5P_DEFAULT), words[2]);
  if (strcmp(words[1], "all") == 0) make_all(file);
  if (strcmp(words[1], "large") == 0) make_large(file);
  if (strcmp(words[1], "five") == 0) make_five(file);
  if (strcmp(words[1], "twice") == 0) make_twice(file);
  for (size_t i = 0; i < COUNT(refusals); ++i)
    if (strcmp(words[1], refusals[i]) == 0) make_refused(file, words[1]);
  if (H5Fclose(file) < 0) return 1;
  if (strcmp(words[1], "all") != 0) return 0;
  FILE* block = fopen(words[2], "r+");
  return fputs("#!/usr/bin/env a user block\n", block) < 0 || fclose(block) != 0;
}
