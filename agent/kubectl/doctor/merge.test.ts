import { expect, test } from 'vitest';
import { paintFor } from '../style.ts';
import { merge } from './merge.ts';
import { mergedText } from './text.ts';

const finding = (id: string, severity: string, message: string, fix?: string): object => ({
  ...{ id, title: `title of ${id}`, severity, message, link: `docs/doctor.md#${id}`, evidence: [] },
  ...(fix === undefined ? {} : { fix }),
});
const reports = [
  {
    node: 'a',
    report: { findings: [finding('kernel.nft', 'pass', 'is there'), finding('cni.first', 'pass', 'is first')] },
  },
  {
    node: 'b',
    report: {
      findings: [
        finding('kernel.nft', 'failure', 'is not there\u001b[2J', 'modprobe nf_tables'),
        finding('cni.first', 'pass', 'is first'),
      ],
    },
  },
  {
    node: 'c',
    report: { findings: [finding('kernel.nft', 'failure', 'is not there\u001b[2J', 'modprobe nf_tables')] },
  },
  { node: 'd', report: {} },
];

test('each probe once, its worst verdict first, with the nodes of each', () => {
  expect(
    merge(reports).map(({ id, severity, outcomes }) => [id, severity, outcomes.map(({ nodes }) => nodes)]),
  ).toEqual([
    ['kernel.nft', 'failure', [['b', 'c'], ['a']]],
    ['cni.first', 'pass', [['a', 'b']]],
  ]);
});

test('as text: what is not well and what mends it', () => {
  const paint = paintFor({}, {});
  expect(mergedText(merge(reports), { wide: false, paint })).toBe(
    [
      'failure  kernel.nft: title of kernel.nft',
      '         b, c: is not there?[2J',
      '           fix: modprobe nf_tables',
      '           see: docs/doctor.md#kernel.nft',
      '1 probes pass on all nodes, 1 failures, 0 warnings, 0 unknown',
      '',
    ].join('\n'),
  );
  expect(mergedText(merge(reports), { wide: true, paint })).toContain('pass     cni.first: title of cni.first');
});
