/** `npm run generate`: writes the TypeScript types of every .proto file of this folder to `protos/types/`. */
import { execFile } from 'node:child_process';
import { glob, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generatorArguments } from './options.ts';

const root = join(import.meta.dirname, '..');

/** Generates the types into `folder`, which is emptied first. */
export async function generateTypes(folder: string): Promise<void> {
  const files = (await Array.fromAsync(glob('protos/*/*/*.proto', { cwd: root }))).sort();
  await rm(folder, { recursive: true, force: true });
  const generator = join(root, 'node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js');
  const style = ['--includeComments', '--grpcLib=@grpc/grpc-js', '--importFileExtension=.ts', `--outDir=${folder}`];
  // Relative names: they appear in the output.
  await promisify(execFile)(process.execPath, [generator, ...generatorArguments, ...style, ...files], { cwd: root });
}

if (import.meta.main) await generateTypes(join(import.meta.dirname, 'types'));
