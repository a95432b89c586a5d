/* make_hdf5 FILE [hold]: writes an HDF5 file with what such files have: chunks, compression, an extensible dataset, attributes,
 * groups, links of every kind. With `hold` it keeps the file open for writing until its standard input ends. */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 600
#define COLUMNS 400

static void must(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "make_hdf5: %s failed\n", what);
  exit(1);
}

static void write_dataset(hid_t group, const char* name, int compressed, hsize_t rows_max) {
  const hsize_t size[2] = {ROWS, COLUMNS}, most[2] = {rows_max, COLUMNS}, chunk[2] = {64, 50};
  const hid_t space = H5Screate_simple(2, size, most);
  const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(how, 2, chunk);
  if (compressed) {
    H5Pset_shuffle(how);
    H5Pset_deflate(how, 6);
  }
  const hid_t set = H5Dcreate2(group, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, how, H5P_DEFAULT);
  must(set >= 0, name);
  double* values = malloc(sizeof(double) * ROWS * COLUMNS);
  for (size_t i = 0; i < (size_t)ROWS * COLUMNS; ++i) values[i] = (double)(i % 977) / 7.0;
  must(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, "H5Dwrite");
  free(values);
  const hid_t scalar = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(set, "step", H5T_NATIVE_INT, scalar, H5P_DEFAULT, H5P_DEFAULT);
  const int step = 42;
  must(H5Awrite(attribute, H5T_NATIVE_INT, &step) >= 0, "H5Awrite");
  H5Aclose(attribute);
  H5Sclose(scalar);
  H5Dclose(set);
  H5Pclose(how);
  H5Sclose(space);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const hid_t file = H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  must(file >= 0, "H5Fcreate");
  const hid_t group = H5Gcreate2(file, "fields", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  write_dataset(group, "plain", 0, ROWS);
  write_dataset(group, "compressed", 1, ROWS);
  write_dataset(group, "extensible", 1, H5S_UNLIMITED);
  must(H5Lcreate_hard(group, "plain", file, "hard", H5P_DEFAULT, H5P_DEFAULT) >= 0, "H5Lcreate_hard");
  must(H5Lcreate_soft("/fields/compressed", file, "soft", H5P_DEFAULT, H5P_DEFAULT) >= 0, "H5Lcreate_soft");
  must(H5Lcreate_external("other.h5", "/there", file, "external", H5P_DEFAULT, H5P_DEFAULT) >= 0, "H5Lcreate_external");
  H5Gclose(group);
  if (argc > 2 && strcmp(argv[2], "hold") == 0) {
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    puts("open");
    fflush(stdout);
    while (getchar() != EOF) {
    }
  }
  return H5Fclose(file) >= 0 ? 0 : 1;
}
