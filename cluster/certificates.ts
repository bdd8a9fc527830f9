/** A throw-away certificate authority and the certificates it signs, by the openssl program. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecked } from './command.ts';

export interface CertificateRequest {
  /** File name without ending: `NAME.crt` and `NAME.key` are written. */
  readonly name: string;
  /** Kubernetes takes the common name as the user … */
  readonly commonName: string;
  /** … and the organisation as its group. */
  readonly organization?: string;
  /** Subject alternative names (`DNS:node-1`, `IP:10.77.0.2`). With them it is good for serving too. */
  readonly names?: readonly string[];
}

export interface CertificateAuthority {
  readonly folder: string;
  /** Name of the authority's own files. */
  readonly name: string;
}

const days = '3650';
const keyOptions = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes `NAME.crt` and `NAME.key` of a new authority in a folder. */
export async function createAuthority(folder: string, name: string): Promise<CertificateAuthority> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  await runChecked('openssl', [
    ...['req', '-x509', ...keyOptions, '-days', days, '-subj', `/CN=${name}`],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ...['-keyout', `${path}.key`, '-out', `${path}.crt`],
  ]);
  return { folder, name };
}

/** Makes and signs a certificate; an existing one of that name is replaced. */
export async function issueCertificate(authority: CertificateAuthority, request: CertificateRequest): Promise<void> {
  const path = join(authority.folder, request.name);
  const issuer = join(authority.folder, authority.name);
  writeFileSync(`${path}.ext`, formatExtensions(request));
  const subject = `${request.organization === undefined ? '' : `/O=${request.organization}`}/CN=${request.commonName}`;
  const signing = await runChecked('openssl', ['req', ...keyOptions, '-subj', subject, '-keyout', `${path}.key`]);
  await runChecked(
    'openssl',
    [
      ...['x509', '-req', '-days', days, '-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`],
      // Serial numbers by chance, so that certificates can be issued side by side.
      ...['-set_serial', `0x${crypto.randomUUID().replaceAll('-', '').slice(1)}`],
      ...['-extfile', `${path}.ext`, '-out', `${path}.crt`],
    ],
    { stdin: signing },
  );
}

/** A key pair that signs service account tokens: `NAME.key` and `NAME.pub`. */
export async function createSigningKey(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  await runChecked('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${path}.key`]);
  await runChecked('openssl', ['ec', '-in', `${path}.key`, '-pubout', '-out', `${path}.pub`]);
}

/** The extension section that openssl reads for a request. */
export function formatExtensions(request: CertificateRequest): string {
  const serving = request.names !== undefined && request.names.length > 0;
  return [
    'basicConstraints=CA:FALSE',
    'keyUsage=digitalSignature',
    `extendedKeyUsage=clientAuth${serving ? ',serverAuth' : ''}`,
    ...(serving ? [`subjectAltName=${request.names.join(',')}`] : []),
    '',
  ].join('\n');
}
