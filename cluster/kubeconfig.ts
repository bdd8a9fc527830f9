/** kubeconfig files, with certificates inside so that the file can be copied. JSON is YAML. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A kubeconfig for the server (`https://host:port`) as the user whose certificate is `NAME.crt` in the folder. */
export function formatKubeconfig(server: string, pkiFolder: string, user: string, clusterName: string): string {
  const base64 = (file: string): string => readFileSync(join(pkiFolder, file)).toString('base64');
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': clusterName,
      clusters: [{ name: clusterName, cluster: { server, 'certificate-authority-data': base64('ca.crt') } }],
      users: [
        {
          name: user,
          user: { 'client-certificate-data': base64(`${user}.crt`), 'client-key-data': base64(`${user}.key`) },
        },
      ],
      contexts: [{ name: clusterName, context: { cluster: clusterName, user } }],
    },
    undefined,
    2,
  )}\n`;
}
