{{/* The agent's pod: what all its containers share. Takes `root`, `group` and `folders`. */}}

{{/* The container that kubectl takes where none is named. */}}
{{- define "berth.defaultContainer" -}}
{{- if eq .Values.containers "single" }}berth
{{- else if .Values.plugins.network.enabled }}network
{{- else if .Values.plugins.devices.enabled }}devices
{{- else }}storage
{{- end }}
{{- end }}

{{- define "berth.podSpec" -}}
{{- $values := .root.Values -}}
serviceAccountName: {{ $values.serviceAccount.name }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
priorityClassName: {{ $values.priorityClassName }}
nodeSelector:
  {{- toYaml (merge (deepCopy .group.selector) $values.nodeSelector) | nindent 2 }}
{{- with include "berth.affinity" . }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
# Every node, also one that is not ready because it has no network yet: the agent brings it.
tolerations:
  {{- toYaml $values.tolerations | nindent 2 }}
# The agent works on the node's own links, routes and nftables, and runs before there is a pod network.
hostNetwork: true
# agent.stopSeconds for the calls in flight, and some to spare.
terminationGracePeriodSeconds: {{ add 10 (dig "stopSeconds" 20 .group.config.agent) }}
containers:
  {{- if eq $values.containers "single" }}
  {{- include "berth.singleContainer" . | nindent 2 }}
  {{- else }}
  {{/* First, as they start one after another: what comes while the network is away waits, a pod with a device is refused for good. */}}
  {{- if $values.plugins.devices.enabled }}
  {{- include "berth.devicesContainer" . | nindent 2 }}
  {{- end }}
  {{- if $values.plugins.network.enabled }}
  {{- include "berth.networkContainer" . | nindent 2 }}
  {{- end }}
  {{- if $values.plugins.storage.enabled }}
  {{- include "berth.storageContainer" . | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- if $values.plugins.storage.enabled }}
  {{- include "berth.sidecars" . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "berth.volumes" . | nindent 2 }}
{{- end }}

{{/* What every container of the agent has in common. `port` is where it serves, `metrics` what Prometheus reads, `resources` what it may use. */}}
{{- define "berth.agentProcess" -}}
image: {{ include "berth.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ .args }}
env:
  - name: NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  # berth page prints the way to this pod.
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  # Where agent.metrics listens.
  - name: NODE_IP
    valueFrom:
      fieldRef:
        fieldPath: status.hostIP
  # Node.js sizes its heap by the machine; this is for the limit below.
  - name: NODE_OPTIONS
    value: --max-old-space-size={{ .root.Values.nodeHeapMiB }}
  {{- with .env }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metrics }}
# By HTTPS, and only to those who may read them.
ports:
  - name: {{ .name }}
    containerPort: {{ .port }}
{{- end }}
# On 127.0.0.1, so that only the node itself can ask.
livenessProbe:
  httpGet: { host: 127.0.0.1, port: {{ .port }}, path: /livez }
  initialDelaySeconds: 5
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { host: 127.0.0.1, port: {{ .port }}, path: /readyz }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 1
resources:
  {{- toYaml .resources | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* The loopback port that the configuration says. */}}
{{- define "berth.port" -}}
{{ dig "port" 9880 .group.config.agent }}
{{- end }}

{{/* The port of a container for Prometheus, with its name: that of the container at a place, where metrics are on. */}}
{{- define "berth.metricsPort" -}}
{{- if .context.root.Values.metrics.enabled }}
{{- $first := dig "metrics" "port" 9883 .context.group.config.agent | int }}
{{- dict "name" .name "port" (add $first .place) | toYaml }}
{{- end }}
{{- end }}
