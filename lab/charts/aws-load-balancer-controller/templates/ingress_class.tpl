apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: {{ .Values.ingressClass | default "alb" }}
  annotations:
    ingressclass.kubernetes.io/is-default-class: {{ (.Values.ingressClassConfig).default | default false | quote }}
spec:
  controller: ingress.k8s.aws/alb
