{{/* What runs beside the agent for storage. They reach the driver's socket and nothing else of the node. */}}

{{- define "berth.sidecarRights" -}}
securityContext:
  # The driver's socket is root's; beyond being its owner the sidecar needs nothing.
  runAsUser: 0
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "berth.sidecars" -}}
# Turns claims into volumes of this node, and tells the scheduler how much room is left.
- name: csi-provisioner
  image: {{ .root.Values.sidecars.provisioner.image }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    - --node-deployment=true
    # Our classes wait for the first consumer; a class of yours may bind at once, on a node that chance picks.
    - --node-deployment-immediate-binding=true
    - --node-deployment-base-delay=5s
    - --strict-topology=true
    - --immediate-topology=false
    - --enable-capacity=true
    # Level 0: the pod owns them, so those of a node that is gone go with it.
    - --capacity-ownerref-level=0
    - --capacity-poll-interval=30s
    - --extra-create-metadata=true
    # No --default-fstype: a class that names none gets what its pool makes.
    # mkfs on a slow disk takes its time.
    - --timeout=60s
    - --retry-interval-start=500ms
    - --worker-threads=5
    {{- range .root.Values.sidecars.provisioner.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  env:
    - name: NODE_NAME
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
    - name: NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
  {{- include "berth.sidecarRights" . | nindent 2 }}
  resources:
    {{- toYaml .root.Values.sidecars.provisioner.resources | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: csi-socket
      mountPath: /csi
      subPath: csi.berth.dev
{{- if .root.Values.snapshots.sidecar.enabled }}
# Takes and removes snapshots of this node's volumes. Without the snapshot CRDs it waits for them.
- name: csi-snapshotter
  image: {{ .root.Values.sidecars.snapshotter.image }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    # Only contents that snapshot-controller has labelled with this node.
    - --node-deployment=true
    - --snapshot-name-prefix=snapshot
    # A pool that cannot share bytes copies them. What takes longer goes on, and is asked for again.
    - --timeout=1m
    - --retry-interval-start=500ms
    - --worker-threads=5
    {{- range .root.Values.sidecars.snapshotter.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  env:
    - name: NODE_NAME
      valueFrom:
        fieldRef:
          fieldPath: spec.nodeName
  {{- include "berth.sidecarRights" . | nindent 2 }}
  resources:
    {{- toYaml .root.Values.sidecars.snapshotter.resources | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: csi-socket
      mountPath: /csi
      subPath: csi.berth.dev
{{- end }}
# Tells the kubelet of a volume's node that the volume shall grow, and the agent there does it. It has no mode for nodes: one
# of all does the work, and these times let many nodes ask for the lease seldom.
- name: csi-resizer
  image: {{ .root.Values.sidecars.resizer.image }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    - --leader-election=true
    - --leader-election-lease-duration=60s
    - --leader-election-renew-deadline=45s
    - --leader-election-retry-period=15s
    # Volumes grow while they are in use, so it need not watch who uses them.
    - --handle-volume-inuse-error=false
    - --retry-interval-start=500ms
    {{- range .root.Values.sidecars.resizer.extraArgs }}
    - {{ . | quote }}
    {{- end }}
  {{- include "berth.sidecarRights" . | nindent 2 }}
  resources:
    {{- toYaml .root.Values.sidecars.resizer.resources | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: csi-socket
      mountPath: /csi
      subPath: csi.berth.dev
{{- end }}
