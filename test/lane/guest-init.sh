#!/bin/bash
# Process 1 of a guest: gives itself a root that is thrown away, cgroup v2 alone, /project (the project, copy-on-write) and /out (what the test gets back), runs
# /out/command and writes its exit code to /out/code.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb

off() {
  sync
  echo o >/proc/sysrq-trigger
  sleep 30
}

# The shared root is read-only: a tmpfs above it becomes the real root.
new_root() {
  trap off EXIT
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mountpoint -q /dev || mount -t devtmpfs dev /dev
  mount -t tmpfs -o mode=755 lane /mnt
  mkdir /mnt/upper /mnt/work /mnt/new
  modprobe overlay
  mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work lane /mnt/new || exit
  for folder in proc sys dev; do mount --move /$folder /mnt/new/$folder; done
  cd /mnt/new && mkdir .old && pivot_root . .old || exit
  trap - EXIT
  LANE_STAGE=2 exec chroot . /lane/init
}

mount_system() {
  umount -l /.old && rmdir /.old
  mkdir -p /dev/pts /dev/shm
  mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
  mount -t tmpfs -o mode=1777 shm /dev/shm
  mount -t tmpfs -o mode=755 run /run
  mount -t tmpfs -o mode=1777 tmp /tmp
  ln -sfn /proc/self/fd /dev/fd
  for number in 0:stdin 1:stdout 2:stderr; do ln -sfn "/proc/self/fd/${number%:*}" "/dev/${number#*:}"; done
  mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
  mount -t bpf bpf /sys/fs/bpf 2>/dev/null
  mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
  mkdir /sys/fs/cgroup/lane
  echo $$ >/sys/fs/cgroup/lane/cgroup.procs
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done
  # io_uring breaks the page tables of user-mode Linux 6.12 (bad page maps, then a panic); Node goes without it.
  [ "$LANE_KERNEL" = vm ] || echo 2 >/proc/sys/kernel/io_uring_disabled
  hostname lane
  ip link set lo up
}

mount_shares() {
  mkdir -p /project /run/lane/work /run/lane/cow
  if [ "$LANE_KERNEL" = vm ]; then
    mount -t virtiofs -o ro work /run/lane/work
    mount -t virtiofs out /out
  else
    mount -t hostfs -o hostfs=/lane/work,ro none /run/lane/work
    mount -t hostfs -o hostfs=/lane/out none /out
  fi
  mount -t tmpfs cow /run/lane/cow
  mkdir /run/lane/cow/upper /run/lane/cow/work
  mount -t overlay -o lowerdir=/run/lane/work,upperdir=/run/lane/cow/upper,workdir=/run/lane/cow/work project /project
}

[ "$LANE_STAGE" = 2 ] || new_root
unset LANE_STAGE
mount_system
mount_shares
console=/dev/tty0
[ "$LANE_KERNEL" = uml ] || console=/dev/hvc0
stty -F $console raw -echo 2>/dev/null
code=126
(
  for module in ${LANE_MODULES//,/ }; do modprobe "$module" || exit 126; done
  cd /project && exec sh /out/command
) </dev/null >$console 2>&1
code=$?
echo $code >/out/code
sync
umount /out 2>/dev/null
off
