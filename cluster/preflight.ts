/** What a machine must have before anything is changed on it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../kit/errors.ts';

/** Programs that a cluster calls, each with the Debian package that has it. */
const neededPrograms: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  losetup: 'mount',
  mount: 'mount',
  find: 'findutils',
  hostname: 'hostname',
  ip: 'iproute2',
  nft: 'nftables',
  openssl: 'openssl',
  runc: 'runc',
};

const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Errors: FAILED_PRECONDITION in one sentence: not Linux, not root, a program missing. */
export function checkMachine(): void {
  if (process.platform !== 'linux') {
    fail(`a cluster is made of Linux namespaces, and this is ${process.platform}: use a Linux machine`);
  }
  if (process.getuid?.() !== 0) fail('namespaces and mounts need root: run it again with sudo');
  const missing = Object.keys(neededPrograms).filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((name) => neededPrograms[name] ?? name))];
  fail(`a cluster needs ${missing.join(', ')}, which this machine lacks: apt-get install ${packages.join(' ')}`);
}

function isInstalled(program: string): boolean {
  return systemFolders.some((folder) => existsSync(join(folder, program)));
}

function fail(sentence: string): never {
  throw new BerthError('FAILED_PRECONDITION', sentence);
}
