import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Finding } from '../finding.ts';
import { structuredReport } from './structured.ts';
import { textReport } from './text.ts';

const findings: readonly Finding[] = [
  {
    id: 'kernel.version',
    title: 'new',
    severity: 'pass',
    message: 'Linux 6.1',
    evidence: [],
    link: 'docs/doctor.md#kernel.version',
  },
  {
    id: 'kubelet.root-shared',
    title: 'shared',
    severity: 'failure',
    message: 'not shared\u001b[2J',
    evidence: [{ what: '/: private', from: '/proc/self/mountinfo' }],
    fix: 'mount --make-rshared /\nthen restart',
    link: 'docs/doctor.md#kubelet.root-shared',
  },
  {
    id: 'api.clock',
    title: 'clock',
    severity: 'unknown',
    message: 'not reached',
    evidence: [],
    link: 'docs/doctor.md#api.clock',
  },
];

test('for a person: groups, and below what is not well what was seen and what mends it', () => {
  expect(textReport(findings, { colour: false })).toBe(`Kernel
  pass    kernel.version: Linux 6.1
Kubelet
  failure kubelet.root-shared: not shared?[2J
          seen: /: private (/proc/self/mountinfo)
          fix:  mount --make-rshared /
                then restart
          more: docs/doctor.md#kubelet.root-shared
Kubernetes API
  unknown api.clock: not reached
          more: docs/doctor.md#api.clock

3 probes: 1 pass, 0 warning, 1 failure, 1 unknown
`);
});

test('colours only the severity', () => {
  const lines = textReport(findings, { colour: true }).split('\n');
  expect(lines[3]).toBe('  \u001b[31mfailure\u001b[0m kubelet.root-shared: not shared?[2J');
});

test.each(['json', 'yaml'] as const)('for programs as %s: a summary and all findings', (format) => {
  const text = structuredReport(findings, format);
  expect(format === 'json' ? JSON.parse(text) : parse(text)).toEqual({
    summary: { pass: 1, warning: 0, failure: 1, unknown: 1 },
    findings,
  });
});
