#!/bin/bash
# boot.sh: in private mount, pid and network namespaces, boots the guest that LANE_* describe; its console is our stdout. See boot.ts.
set -eu
top=$LANE_MOUNT
mount -t tmpfs -o mode=755 lane "$top"
mkdir "$top/root"
root=$top/root

show() { # SOURCE TARGET [ro]
  mount --bind "$1" "$2"
  if [ "${3:-}" = ro ]; then mount -o remount,bind,ro "$2"; fi
}

show "$LANE_ROOT" "$root" ro
show "$LANE_ROOT" "$root/lane/guest" ro
show "$LANE_PROJECT" "$root/lane/work" ro
show "$LANE_OUT" "$root/lane/out"
for folder in lane/run run; do mount -t tmpfs tmpfs "$root/$folder"; done
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -m 1777 "$root/dev/shm"
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"; done
ln -s /proc/self/fd "$root/dev/fd"
kernel_arguments="init=/lane/init ro quiet panic=-1 LANE_KERNEL=$LANE_KERNEL LANE_MODULES=$LANE_MODULES"

if [ "$LANE_KERNEL" = uml ]; then
  # shellcheck disable=SC2086
  HOME=/tmp exec chroot "$root" linux.uml "mem=${LANE_MEMORY}M" root=/dev/root rootfstype=hostfs rootflags=/lane/guest \
    con=null con0=null,fd:1 con1=null,fd:2 console=tty1 $kernel_arguments 2>"$LANE_OUT/kernel.log"
fi

devices=()
for share in guest work out; do
  cache=always
  [ $share != out ] || cache=auto
  chroot "$root" /usr/libexec/virtiofsd --socket-path=/lane/run/$share --shared-dir=/lane/$share --cache=$cache --sandbox=chroot \
    --rlimit-nofile=0 --inode-file-handles=never --xattr --log-level=error >"$LANE_OUT/virtiofsd-$share.log" 2>&1 &
  devices+=(-chardev "socket,id=$share,path=/lane/run/$share" -device "vhost-user-fs-pci,chardev=$share,tag=$share")
done
for share in guest work out; do
  for _ in $(seq 200); do
    [ ! -S "$root/lane/run/$share" ] || break
    sleep 0.05
  done
done
exec chroot "$root" qemu-system-x86_64 -machine q35,accel=tcg,memory-backend=ram -cpu max -smp "$LANE_CPUS" -m "$LANE_MEMORY" \
  -object "memory-backend-memfd,id=ram,size=${LANE_MEMORY}M,share=on" -nodefaults -display none -no-reboot \
  -serial file:/lane/out/kernel.log "${devices[@]}" -device virtio-serial-pci -chardev stdio,id=console,signal=off -device virtconsole,chardev=console \
  -kernel /boot/vmlinuz -append "root=guest rootfstype=virtiofs console=ttyS0 nokaslr mitigations=off $kernel_arguments"
