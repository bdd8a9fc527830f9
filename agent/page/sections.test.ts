import { describe, expect, test } from 'vitest';
import { documentOf } from './document.ts';
import { fragmentsOf } from './sections.ts';
import type { Fragment } from './sections.ts';
import { testViews } from './testviews.ts';

type TestViews = Readonly<Record<string, readonly unknown[]>>;

function fragmentsFrom(views: TestViews, problems: Readonly<Record<string, string>> = {}): readonly Fragment[] {
  return fragmentsOf((name) => {
    const problem = problems[name];
    return {
      items: views[name] ?? [],
      problems: problem === undefined ? [] : [problem],
      known: Object.hasOwn(views, name) || problem !== undefined,
    };
  });
}

function textOf(fragments: readonly Fragment[], id: string): string {
  const html = fragments.find((fragment) => fragment.id === id)!.html;
  return html
    .replace(/<[^>]*>/g, ' ')
    .replace(/&gt;/g, '>')
    .replace(/\s+/g, ' ')
    .trim();
}

const facts = { node: 'node-1', version: '1.2.3', since: 0 };
const full = fragmentsFrom(testViews());

test.each([
  ['verdict', /not ready: devices/],
  [
    'services',
    /network ✓ ready .* devices ✕ not ready not registered storage – not configured To use it on this node, add a section storage/,
  ],
  ['pods', /shop\/web-0 10\.0\.0\.2 fd00::2 berth\.dev\/camera camera-1 in main shop\/data 1Gi ext4/],
  ['devices', /camera-1 \/dev\/video0 ✓ healthy 1 shop\/web-0 in main/],
  ['devices', /camera-2 ✕ unhealthy it is unplugged 0 of 4 shares used/],
  ['pools', /1 of 253 used 2 given back a moment ago 250 free/],
  ['pools', /2Gi of 10Gi promised 1Gi in the trash 7Gi for new volumes on a filesystem of 10Gi, of which 8Gi are free/],
  ['pools', /✕ pool-slow .* What holds its room 3 .*shop\/data ext4 1Gi .*snapshot of shop\/data 1Gi .*deleted/],
  ['volumes', /shop\/data v1-a1-b2 1Gi ext4, thick 512Mi fast ✕ in use damaged shop\/web-0/],
  [
    'attachments',
    /shop\/web-0 eth0 10\.0\.0\.2 fd00::2 8080->80\/tcp at most 8Mbit\/s in berth1 MTU 1500 2026-11-28 10:11/,
  ],
  ['routes', /node-2 10\.0\.1\.0\/24 ✓ direct 192\.0\.2\.2 node-3 10\.0\.2\.0\/24 ✕ no way no address/],
  [
    'registrations',
    /csi\.berth\.dev CSI driver ✓ registered berth\.dev\/camera device plugin ✕ lost the kubelet has gone/,
  ],
  [
    'calls',
    /10:11:12 ADD shop\/web-0 eth0 ✓ OK 1\.2 ms 10:11:12 CreateVolume 3 times pvc-9 ✕ RESOURCE_EXHAUSTED 12 ms/,
  ],
  [
    'doctor',
    /✕ Other networks cni\.rival another network is there 10-other\.conflist \(\/etc\/cni\/net\.d\) To mend it: rm it 1 of 2 looks found nothing wrong/,
  ],
])('of a node that has everything, %s tells', (id, text) => {
  expect(textOf(full, id)).toMatch(text);
});

describe('an agent that has', () => {
  test('a service only shows what that has, and the way to the others', () => {
    const fragments = fragmentsFrom({ services: [{ name: 'devices' }], devices: [] });
    const hidden = fragments.filter((fragment) => fragment.hidden).map(({ id }) => id);
    expect(hidden).toEqual(['doctor', 'pools', 'volumes', 'attachments', 'routes', 'registrations']);
    expect(textOf(fragments, 'services')).toContain('add a section storage to the NodeConfig');
    expect(textOf(fragments, 'contents')).toBe('Services Pods Devices Recent calls');
  });

  test('nothing yet says what to do', () => {
    const names = Object.keys(testViews());
    const fragments = fragmentsFrom(Object.fromEntries(names.map((name) => [name, []])));
    for (const { id, hidden } of fragments) expect([id, hidden]).toEqual([id, false]);
    for (const id of ['pods', 'devices', 'volumes', 'attachments', 'routes', 'calls', 'pools', 'registrations'])
      expect(fragments.find((fragment) => fragment.id === id)!.html).toContain('class="nothing"');
  });

  test('no answer to a view tells why beside what it has', () => {
    const fragments = fragmentsFrom({ ...testViews(), volumes: [] }, { volumes: 'the disk does not answer' });
    for (const id of ['volumes', 'pods']) expect(textOf(fragments, id)).toContain('✕ the disk does not answer');
    expect(textOf(fragments, 'pods')).toContain('10.0.0.2');
  });

  test('something unforeseen in one view shows the other sections', () => {
    const fragments = fragmentsFrom({ ...testViews(), devices: [null] });
    expect(textOf(fragments, 'devices')).toContain('This section cannot be shown');
    expect(textOf(fragments, 'routes')).toContain('node-2');
  });
});

test('a table of very many rows is cut, and says how to see them all', () => {
  const [device] = testViews()['devices'] as readonly [object];
  const fragments = fragmentsFrom({ devices: Array.from({ length: 5_000 }, () => device) });
  const { html } = fragments.find(({ id }) => id === 'devices')!;
  expect(html.match(/<tr/g)).toHaveLength(201);
  expect(textOf(fragments, 'devices')).toContain('4800 more: berth get devices');
});

const hostile = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `' onmouseover='x`,
  `</section></main>`,
];

test.each(hostile)('names like %s change nothing but text', (name) => {
  const shape = (document: string): string => document.replace(/>[^<]*</g, '><').replace(/"[^"]*"/g, '""');
  const plain = documentOf(facts, fragmentsFrom(testViews((word) => `${word}${'n'.repeat(name.length)}`)), 1);
  const attacked = documentOf({ ...facts, node: name }, fragmentsFrom(testViews((word) => `${word}${name}`)), 1);
  expect(shape(attacked)).toBe(shape(plain));
  expect(attacked).not.toContain(name);
});

test('the document names its node and its language, and carries no style and no script of its own', () => {
  const document = documentOf(facts, full, 7);
  expect(document).toMatch(/^<!doctype html>/);
  expect(document).toContain('<html lang="en">');
  expect(document).toContain('<title>node-1 – Berth</title>');
  expect(document).toContain('data-state="7"');
  expect(document).not.toMatch(/ style=|<style| on[a-z]+=|javascript:/);
  expect(document.match(/<script[^>]*>/g)).toEqual(['<script src="page.js" defer>']);
});

test('IDs are given once', () => {
  const ids = [...documentOf(facts, full, 1).matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(ids.length).toBeGreaterThan(20);
  expect(new Set(ids).size).toBe(ids.length);
});
