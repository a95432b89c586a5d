/* hdf5_steps: a simulation that appends a row to an HDF5 dataset in a Godwit region each time it reads a line, and flushes.
 *
 *   hdf5_steps ADDRESS TARGET NAME
 *
 * Says "flushed N" when N rows are safe: whatever dies then, a file with at least these rows is there. Ends with its input. */
#include <godwit/godwit_hdf5.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS 1000

static void must(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "hdf5_steps: %s failed\n", what); /* HDF5 has printed why. */
  exit(1);
}

static void append(hid_t dataset, hsize_t row) {
  double values[COLUMNS];
  for (size_t i = 0; i < COLUMNS; ++i) values[i] = (double)row + (double)i / COLUMNS;
  const hsize_t size[2] = {row + 1, COLUMNS}, start[2] = {row, 0}, count[2] = {1, COLUMNS};
  must(H5Dset_extent(dataset, size) >= 0, "H5Dset_extent");
  const hid_t there = H5Dget_space(dataset);
  H5Sselect_hyperslab(there, H5S_SELECT_SET, start, NULL, count, NULL);
  const hid_t here = H5Screate_simple(2, count, NULL);
  must(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, here, there, H5P_DEFAULT, values) >= 0, "H5Dwrite");
  H5Sclose(here);
  H5Sclose(there);
}

int main(int argc, char** argv) {
  if (argc != 4) return fputs("hdf5_steps ADDRESS TARGET NAME\n", stderr), 2;
  godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
  config.address = argv[1];
  config.target = argv[2];
  const hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
  must(H5Pset_fapl_godwit(fapl, &config) >= 0, "H5Pset_fapl_godwit");
  const hid_t file = H5Fcreate(argv[3], H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
  must(file >= 0, "H5Fcreate");

  const hsize_t size[2] = {0, COLUMNS}, most[2] = {H5S_UNLIMITED, COLUMNS}, chunk[2] = {16, COLUMNS};
  const hid_t space = H5Screate_simple(2, size, most);
  const hid_t how = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(how, 2, chunk);
  const hid_t dataset = H5Dcreate2(file, "steps", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, how, H5P_DEFAULT);
  must(dataset >= 0, "H5Dcreate2");
  H5Pclose(how);
  H5Sclose(space);

  for (hsize_t rows = 0;; ++rows) {
    must(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0, "H5Fflush");
    printf("flushed %llu\n", (unsigned long long)rows);
    fflush(stdout);
    int character;
    while ((character = getchar()) != '\n' && character != EOF) continue;
    if (character == EOF) break;
    append(dataset, rows);
  }
  H5Dclose(dataset);
  must(H5Fclose(file) >= 0, "H5Fclose");
  H5Pclose(fapl);
  return 0;
}
