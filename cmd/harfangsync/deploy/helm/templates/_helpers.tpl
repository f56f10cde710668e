{{- define "harfangsync.name" -}}
{{- if contains "harfangsync" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-harfangsync" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "harfangsync.selector" -}}
app.kubernetes.io/name: harfangsync
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "harfangsync.labels" -}}
{{ include "harfangsync.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "harfangsync.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* The settings that a container takes whole; those named here are needed. */}}
{{- define "harfangsync.need" -}}
{{- range .names }}{{ if not (get $.root.Values.settings .) }}{{ fail (printf "settings.%s is needed with mode %s" . $.root.Values.mode) }}{{ end }}{{ end }}
{{- end }}

{{- /* A setting that a value of the chart gives. */}}
{{- define "harfangsync.once" -}}
{{- if hasKey .root.Values.settings .name }}{{ fail (printf "settings.%s is given by %s" .name .value) }}{{ end }}
{{- end }}

{{- /* What an exit code means for a job, as the table of the exit codes says. "never" is what ends it at once. */}}
{{- define "harfangsync.failures" -}}
rules:
  - action: Ignore # the node was drained: run again, it is nobody's failure
    onPodConditions:
      - type: DisruptionTarget
        status: "True"
  - action: {{ .never }} # settings, a gate, a plan: no repetition mends these
    onExitCodes:
      containerName: harfangsync
      operator: In
      values: [3, 4, 6]
  - action: Ignore # another run holds the lock
    onExitCodes:
      containerName: harfangsync
      operator: In
      values: [7]
  - action: Count # a side is down, something is left over, interrupted: try again
    onExitCodes:
      containerName: harfangsync
      operator: In
      values: [1, 5, 8, 129, 130, 143]
{{- end }}

{{- /* What every CronJob says of when it runs. */}}
{{- define "harfangsync.schedule" -}}
schedule: {{ .schedule | quote }}
timeZone: {{ .root.Values.cronjob.timeZone }}
suspend: {{ .root.Values.cronjob.suspend }}
concurrencyPolicy: Forbid
startingDeadlineSeconds: 300
successfulJobsHistoryLimit: 3
failedJobsHistoryLimit: 5
{{- end }}

{{- define "harfangsync.resources" -}}
{{- $tail := eq .Values.mode "tail" -}}
requests:
  cpu: {{ $tail | ternary "100m" "250m" }}
  memory: 256Mi
  ephemeral-storage: 256Mi
limits: # no CPU: it would only make a run longer
  memory: {{ $tail | ternary "1Gi" "512Mi" }} # a tail keeps what is wanted between full runs
  ephemeral-storage: {{ .Values.tmp }}
{{- end }}

{{- /* A pod with one container. root, component, restart, args, envFrom, env, ports and probes, mounts, volumes. */}}
{{- define "harfangsync.pod" -}}
metadata:
  labels:
    {{- include "harfangsync.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with .root.Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- if or .root.Values.podAnnotations .annotations }}
  annotations:
    {{- with .annotations }}{{ . | nindent 4 }}{{ end }}
    {{- with .root.Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- end }}
spec:
  restartPolicy: {{ .restart }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 150 # above sync.request_timeout: what is in flight ends
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: harfangsync
      image: {{ include "harfangsync.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ concat .args (.root.Values.args | default list) (list "--log-format" "json") | toJson }}
      {{- with .envFrom }}
      envFrom:
        - configMapRef:
            name: {{ . }}
      {{- end }}
      env:
        {{- .env | nindent 8 }}
      {{- with .probes }}{{ . | nindent 6 }}{{ end }}
      resources:
        {{- .root.Values.resources | default (include "harfangsync.resources" .root | fromYaml) | toYaml | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        {{- .mounts | nindent 8 }}
        - name: tmp
          mountPath: /tmp
  volumes:
    {{- .volumes | nindent 4 }}
    - name: tmp
      emptyDir:
        sizeLimit: {{ .root.Values.tmp }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* The key of the secret of HarfangLab; none with tenants, which have their own. */}}
{{- define "harfangsync.managerSecret" -}}
{{- if ne .Values.mode "tenants" -}}
{{- hasKey .Values.settings "HARFANGLAB_LOGIN" | ternary "harfanglab-password" "harfanglab-token" -}}
{{- end -}}
{{- end }}

{{- define "harfangsync.tokens" -}}
- name: OPENCTI_TOKEN_FILE
  value: /run/secrets/harfangsync/opencti-token
{{- with include "harfangsync.managerSecret" . }}
- name: {{ . | upper | replace "-" "_" }}_FILE
  value: /run/secrets/harfangsync/{{ . }}
{{- end }}
{{- end }}

{{- define "harfangsync.secretMount" -}}
- name: secrets
  mountPath: /run/secrets/harfangsync
  readOnly: true
{{- end }}

{{- define "harfangsync.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ .Values.secret.name }}
    defaultMode: 0440
{{- end }}

{{- /* Ways out of a pod: DNS, and each of the platforms named. */}}
{{- define "harfangsync.egress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- range .sides }}
{{- $side := get $.root.Values.networkPolicy . }}
- ports:
    {{- range $side.ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with $side.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .root.Values.networkPolicy.extra }}
{{ toYaml . }}
{{- end }}
{{- end }}
