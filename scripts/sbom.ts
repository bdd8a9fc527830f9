/** A software bill of materials (SPDX 2.3, JSON): what is in the agent's files and in its image, by what was really put in. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** Somebody else's part. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, or `NOASSERTION`. */
  readonly license: string;
  /** Package URL: how scanners know it. */
  readonly purl: string;
}

const packageJson = z.object({ name: z.string(), version: z.string(), license: z.string().optional() });

/** Folders of the npm packages that these files of a bundle come from: `node_modules/@a/b`. */
export function packageFolders(files: Iterable<string>): readonly string[] {
  const folders = new Set<string>();
  for (const file of files) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
    if (folder !== undefined) folders.add(folder);
  }
  return [...folders].sort();
}

/** The npm package in a folder. */
export async function npmComponent(folder: string): Promise<Component> {
  const text = await readFile(join(folder, 'package.json'), 'utf8');
  const { name, version, license = 'NOASSERTION' } = packageJson.parse(JSON.parse(text));
  // The scope's @ is written as %40 (purl specification, "npm").
  return { name, version, license, purl: `pkg:npm/${name.replace('@', '%40')}@${version}` };
}

/** The installed Debian packages of a dpkg status file; `release` is a name such as trixie. */
export function debianComponents(status: string, release: string): readonly Component[] {
  return status.split(/\n{2,}/).flatMap((paragraph): Component[] => {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1];
    const [name, version, architecture] = ['Package', 'Version', 'Architecture'].map(field);
    if (name === undefined || version === undefined || field('Status') !== 'install ok installed') return [];
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=${release}`;
    // Licences are in /usr/share/doc/*/copyright, which is not written for machines everywhere.
    return [{ name, version, license: 'NOASSERTION', purl }];
  });
}

/** The document about something of ours that contains the components. */
export function spdxDocument(
  subject: { readonly name: string; readonly version: string },
  components: readonly Component[],
): object {
  const id = (index: number): string => `SPDXRef-Package-${index}`;
  const packageOf = ({ name, version, license, purl }: Component, index: number): object => ({
    ...{ SPDXID: id(index), name, versionInfo: version, downloadLocation: 'NOASSERTION', filesAnalyzed: false },
    ...{ licenseConcluded: 'NOASSERTION', licenseDeclared: license, copyrightText: 'NOASSERTION' },
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
  });
  const own = { ...subject, license: 'Apache-2.0', purl: `pkg:generic/${subject.name}@${subject.version}` };
  return {
    ...{ spdxVersion: 'SPDX-2.3', dataLicense: 'CC0-1.0', SPDXID: 'SPDXRef-DOCUMENT', name: subject.name },
    documentNamespace: `https://berth.dev/spdx/${subject.name}-${subject.version}-${randomUUID()}`,
    creationInfo: {
      created: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: [`Tool: berth-${subject.version}`],
    },
    packages: [own, ...components].map(packageOf),
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: id(0) },
      ...components.map((_, index) => ({
        ...{ spdxElementId: id(0), relationshipType: 'CONTAINS', relatedSpdxElement: id(index + 1) },
      })),
    ],
  };
}

const document = z.object({
  packages: z.array(
    z.object({
      ...{ name: z.string(), versionInfo: z.string(), licenseDeclared: z.string() },
      externalRefs: z.tuple([z.object({ referenceLocator: z.string() })]),
    }),
  ),
});

/** The components of a document that `spdxDocument` made. */
export function componentsOf(text: string): readonly Component[] {
  return document
    .parse(JSON.parse(text))
    .packages.slice(1)
    .map(({ name, versionInfo, licenseDeclared, externalRefs: [{ referenceLocator }] }) => ({
      ...{ name, version: versionInfo, license: licenseDeclared, purl: referenceLocator },
    }));
}
