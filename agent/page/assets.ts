/** The page's stylesheet and its one script, as they lie beside this file; in the image in the folder `page` beside the bundle. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

function folder(): string {
  const beside = join(import.meta.dirname, 'page');
  return existsSync(beside) ? beside : join(import.meta.dirname, 'assets');
}

export interface Asset {
  readonly type: string;
  readonly content: Buffer;
}

/** By the path under which they are served. Reads the files, so it is called once at start. */
export function readAssets(): ReadonlyMap<string, Asset> {
  const asset = (name: string, type: string): [string, Asset] => [
    `/${name}`,
    { type: `${type}; charset=utf-8`, content: readFileSync(join(folder(), name)) },
  ];
  return new Map([asset('page.css', 'text/css'), asset('page.js', 'text/javascript')]);
}
