/* Landlock is there: version 1 for anything, 3 for the landlock backend, 6 for scopes. */
#include "probe.h"
PROBE("landlock: ABI 6 or later (files, truncation, TCP, scopes)");

int main(void)
{
    long abi = syscall(444, NULL, 0, 1);
    must(abi >= 6);
    /* The attribute structure of the newest version is taken by older ones when the rest is zero.
     */
    uint64_t attr[8] = {1};
    int fd = (int)syscall(444, attr, sizeof attr, 0);
    must(fd >= 0);
    yes();
}
