/* godwit_hdf5.h: HDF5 files that live in regions of a Godwit node. Link libgodwit_hdf5 and HDF5 1.10.
 *
 *   godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
 *   config.address = "tcp://n1:7411";
 *   config.target = "keep";
 *   hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
 *   H5Pset_fapl_godwit(fapl, &config);
 *   hid_t file = H5Fcreate("run7.h5", H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
 *
 * The name given to H5Fcreate() and H5Fopen() is that of the file's head, a region of 16 KiB. The bytes lie in further regions,
 * its extents, which come as the file grows and are named "h5.ID.N": ID is the head's id. What was never written reads as
 * zeros; an extent in which nothing was ever written takes no space. A file has at most 1 TiB - 32 MiB.
 *
 * What H5Fflush() or H5Fclose() has written survives the death of this program, and on pmem and file targets that of the daemon
 * and the loss of power. What HDF5 writes between two flushes goes to its place at once, as with a file on a disk: a program
 * that dies in between leaves the file as HDF5 leaves files then.
 *
 * Conventions, for every function unless it says otherwise:
 * - Returns a value that is not negative, or a negative one; then HDF5's error stack tells what failed, with Godwit's name for
 *   the error ("GODWIT_ERR_NO_SPACE: ...") and what to do. HDF5's own functions fail in the same way.
 * - Blocks until done or until the client's deadlines pass. As HDF5 itself: one thread at a time, unless HDF5 was built
 * thread-safe.
 * - Nobody keeps two programs from writing one file at once: that is the user's to order.
 */
#ifndef GODWIT_HDF5_H
#define GODWIT_HDF5_H

#include <godwit/godwit.h>
#include <hdf5.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Start from GODWIT_HDF5_CONFIG_INIT. */
typedef struct godwit_hdf5_config {
  const char* address;          /* of the node where files are made and opened: "tcp://10.0.0.1:7411" */
  const char* target;           /* on which files are made; NULL: files can only be opened */
  godwit_client_options client; /* each file has a client of its own; do_not_follow: a file that has moved is an error */
} godwit_hdf5_config;
#define GODWIT_HDF5_CONFIG_INIT \
  { NULL, NULL, GODWIT_CLIENT_OPTIONS_INIT }

/* Files that are opened with this file access property list live in regions. The strings are copied. No communication. */
GODWIT_API herr_t H5Pset_fapl_godwit(hid_t fapl, const godwit_hdf5_config* config);
/* The strings are the property list's, and valid until it is changed or closed. Errors: the list has another driver. */
GODWIT_API herr_t H5Pget_fapl_godwit(hid_t fapl, godwit_hdf5_config* config);
/* The driver's id, for H5Pset_driver() and comparisons with H5Pget_driver(); registers it if need be. */
GODWIT_API hid_t godwit_hdf5_driver(void);

/* Moves an open file to a target of the node at `destination`: flushes it, and moves its extents and then its head. `file`
 * stays open, and leads there, whatever becomes of its old node; open it by its name at the destination from then on. Other
 * programs' handles follow as long as the old node lives. What has arrived stays there after an error, and the file can be used
 * as before: a second call moves the rest. options may be NULL; it must neither ask for a copy nor give a name. Errors: as
 * godwit_migrate(); GODWIT_ERR_INVALID, the file has another driver. */
GODWIT_API herr_t godwit_hdf5_migrate(hid_t file, const char* destination, const char* destination_target,
                                      const godwit_migrate_options* options);
/* Erases the file `name`, which nobody must have open. Errors: NOT_FOUND; CORRUPT, the region is no HDF5 file of ours: it
 * stays. */
GODWIT_API herr_t godwit_hdf5_erase(const godwit_hdf5_config* config, const char* name);
/* Writes the file `name` to a new file `path` of this machine, which every HDF5 tool reads; holes stay holes. It is there whole
 * or not at all, and on its disk. Errors: NOT_FOUND; CORRUPT; EXISTS, there is a `path` already; IO. */
GODWIT_API herr_t godwit_hdf5_export(const godwit_hdf5_config* config, const char* name, const char* path);
/* Makes the file `name` on config's target from the HDF5 file `path` of this machine, and makes it durable. Errors: EXISTS,
 * there is a region of that name; INVALID, `path` is no HDF5 file; NO_SPACE; IO. After an error there is no such file, if the
 * node can still be reached. */
GODWIT_API herr_t godwit_hdf5_import(const godwit_hdf5_config* config, const char* path, const char* name);

#ifdef __cplusplus
}
#endif

#endif
