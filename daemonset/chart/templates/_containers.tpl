{{/* The agent's containers: one for each plugin with the rights of that plugin, or one with all. */}}

{{- define "berth.onePlugin" -}}
{{- $port := add (include "berth.port" .context | int) .place -}}
{{- $args := printf "[run, --config, /etc/berth/config.yaml, --only, %s]" .plugin -}}
{{- $resources := get .context.root.Values.resources .plugin -}}
{{- $metrics := include "berth.metricsPort" (dict "context" .context "name" (printf "metrics-%s" .plugin) "place" .place) | fromYaml -}}
{{/* For `berth doctor`, which sees in a container only what its plugin needs. */}}
{{- $env := printf "- name: BERTH_ONLY\n  value: %s" .plugin -}}
{{- with .env }}{{ $env = printf "%s\n%s" $env . }}{{ end -}}
- name: {{ .plugin }}
  {{- include "berth.agentProcess" (dict "root" .context.root "args" $args "port" $port "resources" $resources "metrics" $metrics "env" $env) | nindent 2 }}
{{- end }}

{{- define "berth.networkContainer" -}}
# The kernel's settings are read-only in a container that is not privileged, but for those of this mount.
{{- $env := "- name: BERTH_PROC_SYS\n  value: /host/proc/sys" }}
{{ include "berth.onePlugin" (dict "context" . "plugin" "network" "place" 0 "env" $env) }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      # NET_ADMIN: links, routes, nftables. SYS_ADMIN: entering the network namespaces of pods (setns).
      add: [NET_ADMIN, SYS_ADMIN]
    seccompProfile:
      type: RuntimeDefault
  volumeMounts:
    {{- include "berth.mountConfig" . | nindent 4 }}
    {{- include "berth.mountRun" . | nindent 4 }}
    {{- include "berth.mountsOfNetwork" . | nindent 4 }}
    # The pod ranges it had, for a start without the API server. Its own folder: it does not see volumes.
    - name: network-state
      mountPath: /var/lib/berth
    - name: proc-sys
      mountPath: /host/proc/sys
{{- end }}

{{- define "berth.devicesContainer" -}}
{{ include "berth.onePlugin" (dict "context" . "plugin" "devices" "place" 1 "env" "") }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  volumeMounts:
    {{- include "berth.mountConfig" . | nindent 4 }}
    {{- include "berth.mountRun" . | nindent 4 }}
    # The kubelet's sockets: those of resources, its registration, and who holds what.
    - name: device-plugins
      mountPath: {{ .folders.kubelet }}/device-plugins
    - name: plugins-registry
      mountPath: {{ .folders.kubelet }}/plugins_registry
    - name: pod-resources
      mountPath: {{ .folders.kubelet }}/pod-resources
      readOnly: true
    # Devices that are plugged in after this container has started; its own /dev would not show them.
    - name: dev
      mountPath: /dev
      readOnly: true
      mountPropagation: HostToContainer
    {{- include "berth.mountsOfDevices" . | nindent 4 }}
    # What it knows its devices by.
    - name: devices-state
      mountPath: /var/lib/berth/devices
{{- end }}

{{- define "berth.storageContainer" -}}
{{ include "berth.onePlugin" (dict "context" . "plugin" "storage" "place" 2 "env" "") }}
  securityContext:
    # Mounts that the kubelet and pods shall see (Bidirectional) are refused to anything less.
    privileged: true
    readOnlyRootFilesystem: true
  volumeMounts:
    {{- include "berth.mountConfig" . | nindent 4 }}
    {{- include "berth.mountRun" . | nindent 4 }}
    {{- include "berth.mountsOfStorage" . | nindent 4 }}
{{- end }}

{{- define "berth.singleContainer" -}}
{{- $port := include "berth.port" . -}}
{{- $args := "[run, --config, /etc/berth/config.yaml]" -}}
{{- $plugins := .root.Values.plugins -}}
{{- $metrics := include "berth.metricsPort" (dict "context" . "name" "metrics" "place" 0) | fromYaml -}}
- name: berth
  {{- include "berth.agentProcess" (dict "root" .root "args" $args "port" $port "resources" .root.Values.resources.berth "metrics" $metrics) | nindent 2 }}
  securityContext:
    # Mounts that the kubelet and pods shall see (Bidirectional) are refused to anything less.
    privileged: true
    readOnlyRootFilesystem: true
  volumeMounts:
    {{- include "berth.mountConfig" . | nindent 4 }}
    {{- include "berth.mountRun" . | nindent 4 }}
    {{- include "berth.mountsOfStorage" . | nindent 4 }}
    {{- if $plugins.network.enabled }}
    {{- include "berth.mountsOfNetwork" . | nindent 4 }}
    {{- end }}
    {{- if $plugins.devices.enabled }}
    {{- include "berth.mountsOfDevices" . | nindent 4 }}
    {{- end }}
{{- end }}
