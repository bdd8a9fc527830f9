/** The flags of kubectl that say which cluster is meant, and as whom: passed on as they are. */

/** As commander names them; every one may be missing. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cluster?: string;
  readonly user?: string;
  readonly server?: string;
  readonly as?: string;
  readonly asGroup?: readonly string[];
  readonly asUid?: string;
  readonly requestTimeout?: string;
  readonly token?: string;
  readonly certificateAuthority?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: boolean;
}

/** Each with the words of its help. */
export const clusterFlags = [
  ['--kubeconfig <file>', 'the kubeconfig'],
  ['--context <name>', 'the context of the kubeconfig'],
  ['--cluster <name>', 'the cluster of the kubeconfig'],
  ['--user <name>', 'the user of the kubeconfig'],
  ['-s, --server <url>', 'address of the API server'],
  ['--as <user>', 'act as this user'],
  ['--as-group <group>', 'act as a member of this group; may be given again'],
  ['--as-uid <uid>', 'act as the user of this UID'],
  ['--request-timeout <time>', 'how long a request may take: 10s'],
  ['--token <token>', 'the bearer token'],
  ['--certificate-authority <file>', "the API server's certificate authority"],
  ['--client-certificate <file>', 'the certificate of the user'],
  ['--client-key <file>', 'the key of the user'],
  ['--tls-server-name <name>', "the name in the API server's certificate"],
  ['--insecure-skip-tls-verify', "do not check the API server's certificate"],
] as const;

/** The arguments for kubectl, each a word with its value in it, so that no value can pass for a flag. */
export function argumentsOf(flags: ClusterFlags): readonly string[] {
  const given: readonly (readonly [string, string | boolean | readonly string[] | undefined])[] = [
    ['kubeconfig', flags.kubeconfig],
    ['context', flags.context],
    ['cluster', flags.cluster],
    ['user', flags.user],
    ['server', flags.server],
    ['as', flags.as],
    ['as-group', flags.asGroup],
    ['as-uid', flags.asUid],
    ['request-timeout', flags.requestTimeout],
    ['token', flags.token],
    ['certificate-authority', flags.certificateAuthority],
    ['client-certificate', flags.clientCertificate],
    ['client-key', flags.clientKey],
    ['tls-server-name', flags.tlsServerName],
    ['insecure-skip-tls-verify', flags.insecureSkipTlsVerify],
  ];
  return given.flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [value].flat().map((each) => `--${name}=${String(each)}`);
  });
}
