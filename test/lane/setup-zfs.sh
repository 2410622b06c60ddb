#!/bin/sh
# setup-zfs.sh KERNEL: inside a folder with Debian's zfs-dkms sources and the kernel's headers, compiles the modules.
set -eu
cd /usr/src/zfs-*
export KCFLAGS=-g0
rm -f /usr/src/linux-headers-*/vmlinux # without it no BTF is made, which takes a third of the time
./configure --disable-dependency-tracking --with-config=kernel \
  --with-linux="$(readlink -f "/lib/modules/$1/source")" --with-linux-obj="$(readlink -f "/lib/modules/$1/build")"
make -j"$(nproc)" -C module
strip -g module/zfs.ko module/spl.ko
