# First steps of a node, as process 1 of its new namespaces: gives it a root of its own and then stays as its init.
# $1 root folder · $2 host name · $3 folder with the cluster's programs · $4 file with a boot id · further: SOURCE:TARGET[:ro], or
# FILE:TARGET:disk for a file of the root folder with a filesystem in it
set -eu
root=$1 name=$2 programs=$3 bootid=$4
shift 4

hostname "$name"
mount --bind "$root" "$root"

# The machine's programs, read-only; everything else of the machine stays out of sight.
mount --bind -o ro /usr "$root/usr"
for folder in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$folder" ]; then
    ln -sfn "$(readlink "/$folder")" "$root/$folder"
  elif [ -d "/$folder" ]; then
    mkdir -p "$root/$folder"
    mount --bind -o ro "/$folder" "$root/$folder"
  fi
done
mount --bind -o ro "$programs" "$root/opt/cluster/bin"
if [ -d /lib/modules ] && [ ! -L /lib ]; then mount --bind -o ro /lib/modules "$root/lib/modules"; fi

mount -t tmpfs -o mode=0755 run "$root/run"
mkdir -p "$root/run/netns" "$root/run/lock"

mount -t proc proc "$root/proc"
# What every installation guide for Kubernetes asks of a node.
echo 1 >"$root/proc/sys/net/ipv4/ip_forward"
echo 1 >"$root/proc/sys/net/ipv6/conf/all/forwarding"
# A new boot for whoever asks, as after a power cycle.
mount --bind "$bootid" "$root/proc/sys/kernel/random/boot_id"
# kubelet tunes these for its machine, but this machine is not its own: it gets files to write to.
mkdir -p "$root/run/kernel"
for file in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  if [ -e "/proc/sys/$file" ]; then
    cat "/proc/sys/$file" >"$root/run/kernel/${file##*/}"
    mount --bind "$root/run/kernel/${file##*/}" "$root/proc/sys/$file"
  fi
done

mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
# The machine's devices: nodes of one machine share one kernel, and so loop devices and /dev.
mount --rbind /dev "$root/dev"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"

for entry in "$@"; do
  source=${entry%%:*} rest=${entry#*:}
  target=$root${rest%%:*}
  case $rest in *:disk)
    mkdir -p "$target"
    mount -o loop "$root$source" "$target"
    continue
  esac
  if [ -d "$source" ]; then mkdir -p "$target"; else mkdir -p "${target%/*}" && touch "$target"; fi
  mount --bind "$source" "$target"
  case $rest in *:ro) mount -o remount,bind,ro "$target" ;; esac
done

cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
# Volumes mounted by a pod must reach the node and other pods.
mount --make-rshared /

ip link set lo up
echo ready
exec /opt/cluster/bin/pause </dev/null >/dev/null
