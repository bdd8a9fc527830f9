import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { componentsOf, debianComponents, npmComponent, packageFolders, spdxDocument } from './sbom.ts';

test('the packages that the files of a bundle come from are named once each', () => {
  const files = [
    'agent/main.ts',
    'node_modules/zod/index.js',
    'node_modules/zod/lib/a.js',
    'node_modules/@grpc/grpc-js/build/x.js',
    'node_modules/pino/node_modules/@a/b/c.js',
  ];
  expect(packageFolders(files)).toEqual([
    'node_modules/@grpc/grpc-js',
    'node_modules/pino/node_modules/@a/b',
    'node_modules/zod',
  ]);
});

test('an npm package is known by its package URL', async () => {
  const folder = join(import.meta.dirname, '../node_modules/@grpc/grpc-js');
  expect(existsSync(folder)).toBe(true);
  expect(await npmComponent(folder)).toEqual({
    ...{ name: '@grpc/grpc-js', version: '1.14.7', license: 'Apache-2.0' },
    purl: 'pkg:npm/%40grpc/grpc-js@1.14.7',
  });
});

const status = `Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12
Description: libraries
 Package: not this

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: xfsprogs
Status: install ok installed
Architecture: amd64
Version: 6.13.0-2+b1
`;

test('of Debian’s packages those that are installed count', () => {
  expect(debianComponents(status, 'trixie').map(({ purl }) => purl)).toEqual([
    'pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=trixie',
    'pkg:deb/debian/xfsprogs@6.13.0-2%2Bb1?arch=amd64&distro=trixie',
  ]);
});

test('a document contains its components, and tells them again', () => {
  const components = debianComponents(status, 'trixie');
  const made = spdxDocument({ name: 'berth', version: '1' }, components);
  expect(componentsOf(JSON.stringify(made))).toEqual(components);
  expect(made).toMatchObject({
    spdxVersion: 'SPDX-2.3',
    packages: [{ name: 'berth' }, { name: 'libc6' }, { name: 'xfsprogs' }],
    relationships: [
      { relationshipType: 'DESCRIBES', relatedSpdxElement: 'SPDXRef-Package-0' },
      { relationshipType: 'CONTAINS', relatedSpdxElement: 'SPDXRef-Package-1' },
      { relationshipType: 'CONTAINS', relatedSpdxElement: 'SPDXRef-Package-2' },
    ],
  });
});
