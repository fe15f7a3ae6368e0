{{- /* What the vendors' charts have in common, as far as the lab's nodes can run it. */}}
{{- $v := .Values }}
{{- $name := $v.fullnameOverride | default .Release.Name }}
{{- $account := ($v.rbac).serviceAccount | default $v.serviceAccount | default dict }}
{{- $labels := dict "app.kubernetes.io/name" .Chart.Name "app.kubernetes.io/instance" .Release.Name }}
{{- $replicas := $v.replicas | default $v.replicaCount }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $account.name | default $name }}
  annotations: {{ $account.annotations | default dict | toJson }}
---
apiVersion: apps/v1
kind: {{ if $replicas }}Deployment{{ else }}DaemonSet{{ end }}
metadata:
  name: {{ $name }}
  labels: {{ $labels | toJson }}
spec:
  {{- with $replicas }}
  replicas: {{ . }}
  {{- end }}
  selector: {matchLabels: {{ $labels | toJson }}}
  template:
    metadata: {labels: {{ $labels | toJson }}}
    spec:
      serviceAccountName: {{ $account.name | default $name }}
      priorityClassName: {{ $v.priorityClassName }}
      nodeSelector: {{ $v.nodeSelector | default dict | toJson }}
      affinity: {{ $v.affinity | default dict | toJson }}
      tolerations: {{ $v.tolerations | default list | toJson }}
      topologySpreadConstraints: {{ $v.topologySpreadConstraints | default list | toJson }}
      containers:
        - name: {{ .Chart.Name }}
          {{- with $v.defaultTags }}
          {{- $tags := list }}{{ range $key, $value := . }}{{ $tags = append $tags (printf "%s=%v" $key $value) }}{{ end }}
          args: [{{ printf "--default-tags=%s" (join "," $tags) | toJson }}]
          {{- end }}
          image: stand-in.invalid/{{ .Chart.Name }}:{{ .Chart.AppVersion }}
          resources: {{ $v.resources | default ($v.controller).resources | default dict | toJson }}
