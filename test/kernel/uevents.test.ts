/** The real kernel's uevents: raised by making loop devices, and by writing into `uevent` files. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { check, libc } from '../../linux/libc.ts';
import type { Uevent } from '../../linux/uevent.ts';
import { openUevents } from '../../linux/uevents.ts';

const ioctl = libc('int ioctl(int fd, unsigned long request, long argument)');
const LOOP_CTL_ADD = 0x4c80;
const LOOP_CTL_REMOVE = 0x4c81;
const synthetic = '/sys/devices/virtual/mem/null/uevent';

let end: AbortController;
beforeEach(() => {
  end = new AbortController();
});
afterEach(() => {
  end.abort();
});

/** Opens the events and waits for those that a test asks for; others of this machine may come in between. */
function listen() {
  const events: Uevent[] = [];
  const lost: string[] = [];
  const news = new EventTarget();
  openUevents({
    signal: end.signal,
    onEvent: (event) => {
      events.push(event);
      news.dispatchEvent(new Event('news'));
    },
    onLost: (errno) => {
      lost.push(errno);
      news.dispatchEvent(new Event('news'));
    },
  });
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await once(news, 'news');
  };
  return { events, lost, until };
}

test('a loop device that comes and goes is told with its number', async () => {
  const { events, until } = listen();
  const control = openSync('/dev/loop-control', 'r+');
  // So high that nobody's LOOP_CTL_GET_FREE finds it, and within the kernel's 20 bits.
  const number = 900_000 + (process.pid % 10_000);
  check(ioctl(control, LOOP_CTL_ADD, number), 'LOOP_CTL_ADD', `${number}`);
  check(ioctl(control, LOOP_CTL_REMOVE, number), 'LOOP_CTL_REMOVE', `${number}`);
  closeSync(control);
  const ofIt = (action: string) =>
    events.find((event) => event.action === action && event.devpath === `/devices/virtual/block/loop${number}`);
  await until(() => ofIt('remove') !== undefined);
  expect(ofIt('add')).toMatchObject({
    subsystem: 'block',
    properties: { MAJOR: '7', MINOR: `${number}`, DEVNAME: `loop${number}`, DEVTYPE: 'disk' },
  });
});

test('an event that somebody asked the kernel for has its arguments', async () => {
  const { events, until } = listen();
  const uuid = randomUUID();
  writeFileSync(synthetic, `add ${uuid} COLOUR=red`);
  const found = () => events.find(({ properties }) => properties.SYNTH_UUID === uuid);
  await until(() => found() !== undefined);
  expect(found()).toMatchObject({
    action: 'add',
    devpath: '/devices/virtual/mem/null',
    subsystem: 'mem',
    properties: { SYNTH_ARG_COLOUR: 'red', DEVNAME: 'null' },
  });
});

test('what a process sends to the group is not taken for the kernel’s', async () => {
  const { events, until } = listen();
  const script = `
    const koffi = (await import('koffi')).default;
    const libc = koffi.load('libc.so.6');
    const fd = libc.func('int socket(int, int, int)')(16, 3, 15);
    const to = Buffer.alloc(12);
    to.writeUInt16LE(16, 0);
    to.writeUInt32LE(1, 8);
    const text = Buffer.from('add@/devices/forged\\0ACTION=add\\0DEVPATH=/devices/forged\\0SUBSYSTEM=x\\0');
    const sent = libc.func('long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)');
    console.log(sent(fd, text, text.length, 0, to, 12) === text.length);`;
  const forge = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  expect(forge.stdout.trim()).toBe('true');
  const uuid = randomUUID();
  writeFileSync(synthetic, `change ${uuid}`);
  await until(() => events.some(({ properties }) => properties.SYNTH_UUID === uuid));
  expect(events.filter(({ devpath }) => devpath === '/devices/forged')).toEqual([]);
});

test('a burst of 2,000 arrives whole and in order', async () => {
  const { events, lost, until } = listen();
  const uuid = randomUUID();
  const fd = openSync(synthetic, 'w');
  for (let index = 0; index < 2_000; index++) writeSync(fd, `change ${uuid} INDEX=${index}`);
  closeSync(fd);
  const ours = () => events.filter(({ properties }) => properties.SYNTH_UUID === uuid);
  await until(() => ours().length === 2_000 || lost.length > 0);
  expect(lost).toEqual([]);
  expect(ours().map(({ properties }) => Number(properties.SYNTH_ARG_INDEX))).toEqual([...Array(2_000).keys()]);
});

test('a queue that overflows is reported, and later events still come', async () => {
  const { events, lost, until } = listen();
  const uuid = randomUUID();
  const fd = openSync(synthetic, 'w');
  // Synchronously, so that nobody reads meanwhile: 30 MiB for a queue of 16 MiB.
  const padding = 'x'.repeat(1_000);
  for (let index = 0; index < 20_000; index++) writeSync(fd, `change ${uuid} PADDING=${padding}`);
  await until(() => lost.length > 0);
  expect(lost[0]).toBe('ENOBUFS');
  const last = randomUUID();
  writeSync(fd, `change ${last}`);
  closeSync(fd);
  await until(() => events.some(({ properties }) => properties.SYNTH_UUID === last));
  expect(events.filter(({ properties }) => properties.SYNTH_UUID === uuid).length).toBeLessThan(20_000);
});

test('closing while nothing happens leaves no socket and no thread behind', async () => {
  const tasks = () => readdirSync('/proc/self/task').length;
  const sockets = async () =>
    (await readFile('/proc/self/net/netlink', 'utf8')).split('\n').filter((line) => / +15 +/.test(line)).length;
  // The first look starts the workers that read files.
  await sockets();
  const before = { tasks: tasks(), sockets: await sockets() };
  const { events } = listen();
  expect(await sockets()).toBe(before.sockets + 1);
  end.abort();
  expect(await sockets()).toBe(before.sockets);
  expect(tasks()).toBe(before.tasks);
  writeFileSync(synthetic, `change ${randomUUID()}`);
  // Whoever opens afterwards is told, so the event went by those who closed.
  end = new AbortController();
  const later = listen();
  const uuid = randomUUID();
  writeFileSync(synthetic, `change ${uuid}`);
  await later.until(() => later.events.some(({ properties }) => properties.SYNTH_UUID === uuid));
  expect(events.filter(({ devpath }) => devpath === '/devices/virtual/mem/null')).toEqual([]);
});

test('a process that is done with it ends', async () => {
  const script = `
    const { openUevents } = await import(${JSON.stringify(join(import.meta.dirname, '../../linux/uevents.ts'))});
    openUevents({ onEvent: () => {}, onLost: () => {}, signal: new AbortController().signal });`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
});
