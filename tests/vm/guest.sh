#!/usr/bin/env bash
# Runs as the guest's init, on the host's tree: devices, network, RDMA; then /host/command, whose status goes to /host/status.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR=/run/tmp PYTHONDONTWRITEBYTECODE=1
mkdir -p /dev/shm /dev/pts /run
for directory in /dev/shm /run; do mount -t tmpfs tmpfs "$directory"; done
mkdir /run/tmp
mount -t devpts devpts /dev/pts
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/mounts /etc/mtab
echo 127.0.0.1 localhost >/etc/hosts
hostname guest
modprobe -a virtio_net nfit nd_pmem device_dax dax_pmem ext4 ib_uverbs rdma_ucm rdma_rxe || echo "modprobe failed"
ip link set lo up
ip link set eth0 mtu 9000 up
rdma link add rxe0 type rxe netdev eth0
ulimit -l unlimited
ulimit -c 0
stty -F /dev/ttyS1 raw -echo
setsid bash /host/command </dev/null >/dev/ttyS1 2>&1
echo $? >/host/status
sync
stty -F /dev/ttyS1 sane 2>/dev/null # Waits until the last line is out.
echo o >/proc/sysrq-trigger
sleep 60
