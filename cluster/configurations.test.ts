import { expect, test } from 'vitest';
import { nodeAddresses, nodeName } from './addresses.ts';
import { formatExtensions } from './certificates.ts';
import { formatContainerdConfig } from './containerd.ts';
import { controlPlaneCommands } from './controlplane.ts';
import { dnsManifest } from './dns.ts';
import { formatKubeletConfig } from './kubelet.ts';
import { runFolder } from './runfolder.ts';

test('nodes are named and addressed from one on', () => {
  expect([0, 5].map(nodeName)).toEqual(['node-1', 'node-6']);
  expect(nodeAddresses(0)).toEqual({ v4: '10.77.0.11', v6: 'fd00:77::b' });
  expect(nodeAddresses(5)).toEqual({ v4: '10.77.0.16', v6: 'fd00:77::10' });
});

test('a certificate serves only if it has names to serve under', () => {
  const client = { name: 'admin', commonName: 'admin' };
  expect(formatExtensions(client)).toContain('extendedKeyUsage=clientAuth\n');
  const server = formatExtensions({ ...client, names: ['DNS:localhost', 'IP:127.0.0.1'] });
  expect(server).toContain('extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n');
});

test('the control plane starts with its store and advertises the first node', () => {
  const commands = controlPlaneCommands(nodeAddresses(0));
  expect(commands.map((command) => command.name)).toEqual([
    ...['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'],
  ]);
  expect(commands[1]?.args).toContain('--advertise-address=10.77.0.11');
});

test('kubelet stays in its own cgroup', () => {
  expect(JSON.parse(formatKubeletConfig('/berth-cluster.a/node-1'))).toMatchObject({
    cgroupRoot: '/berth-cluster.a/node-1',
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
  });
});

test('containerd takes its sandbox image from what was loaded and brings no CNI plugin', () => {
  expect(formatContainerdConfig()).toContain('sandbox = "registry.k8s.io/pause:3.10"');
  expect(formatContainerdConfig()).toContain('use_internal_loopback = true');
});

test('the name server gets the address that every pod is given', () => {
  const { items } = JSON.parse(dnsManifest()) as { items: { kind: string; spec?: { clusterIP?: string } }[] };
  expect(items.find((item) => item.kind === 'Service')?.spec?.clusterIP).toBe('10.96.0.10');
});

test.each(['', 'A', '../x', '-a', 'a'.repeat(32), 'a b'])('the cluster name "%s" is refused', (name) => {
  expect(() => runFolder(name)).toThrow(/cluster name/);
});
