#!/bin/sh
# namespace-init.sh CGROUP LAYOUT COMMAND…: process 1 in the private namespaces of one test file (see namespaces.ts).
# Gives it its own /run, TMPDIR, loopback and cgroup roots, runs the command, and reaps orphans meanwhile, as a waiting shell does.
set -eu

enter_cgroups() {
  while read -r _ folder type _; do
    case "$type $folder" in
      "cgroup /sys/fs/cgroup"* | "cgroup2 /sys/fs/cgroup"*) ;;
      *) continue ;;
    esac
    mkdir -p "$folder/$CGROUP"
    # A new v1 cpuset is empty, and an empty one takes no process.
    for file in cpuset.cpus cpuset.mems; do
      if [ "$type" = cgroup ] && [ -e "$folder/$file" ]; then cat "$folder/$file" >"$folder/$CGROUP/$file"; fi
    done
    echo $$ >"$folder/$CGROUP/cgroup.procs"
  done </proc/self/mounts
}

# Mounts again what the new cgroup namespace shows: our own cgroup, as the root.
remount_cgroups() {
  before=$(awk '$2 ~ "^/sys/fs/cgroup" && $3 ~ "^cgroup2?$" { print $2, $3, $4 }' /proc/self/mounts)
  echo "$before" | while read -r folder _; do umount "$folder"; done
  if [ "$LAYOUT" = v2 ]; then
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    delegate /sys/fs/cgroup
    return
  fi
  echo "$before" | while read -r folder type options; do
    if [ "$type" = cgroup ]; then
      mount -t cgroup -o "$(hierarchy "$options")" cgroup "$folder"
    elif [ "$folder" = /sys/fs/cgroup ]; then
      mount -t cgroup2 cgroup2 "$folder"
      delegate "$folder"
    elif [ "$LAYOUT" = host ]; then
      mount -t cgroup2 cgroup2 "$folder"
    else
      mount -t tmpfs tmpfs "$folder" # crun still makes folders here; they must not land in the tmpfs of the host
    fi
  done
}

# The controllers or the name among a v1 mount's options.
hierarchy() {
  echo "$1" | tr , '\n' | grep -vxE 'rw|ro|relatime|nosuid|nodev|noexec|xattr|clone_children|noprefix|release_agent=.*' | sed 's/^name=/none,name=/' | paste -sd,
}

# A v2 group with processes of its own cannot hand controllers to its children: ours move one down.
delegate() {
  mkdir "$1/init"
  while read -r process; do echo "$process" >"$1/init/cgroup.procs" 2>/dev/null || true; done <"$1/cgroup.procs"
  for controller in $(cat "$1/cgroup.controllers"); do echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true; done
}

CGROUP=$1
LAYOUT=$2
shift 2
if [ -z "${GANTRY_TEST_CGROUPS_ENTERED:-}" ]; then
  enter_cgroups
  GANTRY_TEST_CGROUPS_ENTERED=1 exec unshare --cgroup -- "$0" "$CGROUP" "$LAYOUT" "$@"
fi
remount_cgroups
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 1777 /run/tmp
export TMPDIR=/run/tmp
ip link set lo up
set +e
"$@"
exit $?
