/** `npm test`: lint, then every test layer; ends with one line `N passed, N failed`. `--conformance` adds those programs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startVitest } from 'vitest/node';
import type { TestCase } from 'vitest/node';
import { ensurePrograms } from '../cluster/build.ts';
import { programs } from '../cluster/programs.ts';
import type { ProgramName } from '../cluster/programs.ts';
import { buildImage } from './image.ts';
import { ensurePrometheus } from './monitoring/prometheus.ts';

/** A skip for a reason that begins with this word is accepted in CI: the kernel of the machine cannot do what the test needs. */
const kernelCannot = 'kernel:';

const projects = ['unit', 'kernel', 'cluster', ...(process.argv.includes('--conformance') ? ['conformance'] : [])];
const inCi = process.env['CI'] === 'true';

/** Programs and image, where they are not there yet: minutes in which lint, which uses one processor, has another. */
async function buildMissing(): Promise<void> {
  await ensurePrograms(Object.keys(programs) as ProgramName[]);
  await ensurePrometheus();
  await buildImage({ progress: (line) => process.stderr.write(`${line}\n`) });
}

// What cannot be built is told by the tests that need it.
const building = buildMissing().catch(() => undefined);
const [lintStatus] = (await once(
  spawn('npm', ['run', '--silent', 'lint'], { stdio: ['ignore', 'inherit', 'inherit'] }),
  'close',
)) as [number | null];
const lintFailed = lintStatus === 0 ? 0 : 1;
await building;

// Some tests look at what all the others did.
process.env['BERTH_TEST_WHOLE'] = 'yes';
const vitest = await startVitest([], { run: true, watch: false, project: projects, reporters: ['verbose'] });
const cases: TestCase[] = vitest.state.getTestModules().flatMap((module) => [...module.children.allTests()]);
const passed = cases.filter((test) => test.result().state === 'passed').length;
const skipped = cases.filter((test) => test.result().state === 'skipped');
const failed = cases.filter((test) => test.result().state === 'failed').length;
const brokenFiles = vitest.state.getTestModules().filter((module) => module.errors().length > 0).length;
const unhandled = vitest.state.getUnhandledErrors().length;
await vitest.close();

let refused = 0;
for (const test of skipped) {
  const result = test.result();
  const reason = 'note' in result && result.note !== undefined ? result.note : 'no reason given';
  process.stdout.write(`skipped: ${test.fullName}: ${reason}\n`);
  if (inCi && !reason.startsWith(kernelCannot)) refused += 1;
}
const broken = failed + refused + lintFailed + brokenFiles + unhandled;
if (lintFailed === 1) process.stdout.write('lint failed: see above\n');
if (refused > 0) process.stdout.write(`${refused} skipped tests count as failed in CI\n`);
process.stdout.write(`${passed} passed, ${broken} failed\n`);
process.exitCode = broken === 0 && passed > 0 ? 0 : 1;
