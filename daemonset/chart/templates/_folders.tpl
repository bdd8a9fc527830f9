{{/* Where a distribution's kubelet and container runtime look; what the values say by name wins. */}}

{{- define "berth.folders" -}}
{{- $folders := dict "kubelet" "/var/lib/kubelet" "cniBin" "/opt/cni/bin" "cniConf" "/etc/cni/net.d" }}
{{- if eq .Values.distribution "k3s" }}
{{- /* k3s from 1.28.15 on; before, CNI executables lay in data/current/bin. */}}
{{- $folders = merge (dict "cniBin" "/var/lib/rancher/k3s/data/cni" "cniConf" "/var/lib/rancher/k3s/agent/etc/cni/net.d") $folders }}
{{- else if eq .Values.distribution "k0s" }}
{{- $folders = merge (dict "kubelet" "/var/lib/k0s/kubelet") $folders }}
{{- else if eq .Values.distribution "microk8s" }}
{{- $folders = dict "kubelet" "/var/snap/microk8s/common/var/lib/kubelet" "cniBin" "/var/snap/microk8s/current/opt/cni/bin" "cniConf" "/var/snap/microk8s/current/args/cni-network" }}
{{- end }}
{{- with .Values.kubeletDir }}{{ $_ := set $folders "kubelet" . }}{{ end }}
{{- with .Values.cni.binDir }}{{ $_ := set $folders "cniBin" . }}{{ end }}
{{- with .Values.cni.confDir }}{{ $_ := set $folders "cniConf" . }}{{ end }}
{{- toYaml $folders }}
{{- end }}
