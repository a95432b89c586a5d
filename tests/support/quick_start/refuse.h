/* In the place of libraries of old InfiniPath and of Omni-Path adapters, for tests. Debian's libfabric is linked with both, and
   at each start of a program they measure the processor's clock, for 0.2 s and 0.1 s: some thousand times in a run of all
   tests. Every call fails, so that libfabric finds no such adapter. */
enum { kNoDevice = 23 }; /* PSM_EP_UNIT_NOT_FOUND, also of PSM2. */

#define REFUSE(name) \
  int name(void);    \
  int name(void) { return kNoDevice; }

#define TEXT_OF_ERROR(name)    \
  const char* name(int error); \
  const char* name(int error) { return error == kNoDevice ? "no such adapter" : "?"; }
