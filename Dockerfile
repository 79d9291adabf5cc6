FROM python:3.13-slim AS build
WORKDIR /source
COPY requirements.lock ./
RUN pip install --no-cache-dir --prefix=/install --require-hashes --requirement requirements.lock
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY bp_faust bp_faust
RUN pip install --no-cache-dir --prefix=/install --no-deps .

FROM python:3.13-slim
COPY --from=build /install /usr/local
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin worker \
    && install --directory --owner=worker --group=worker /data
# Others reach what listens in a container, so the worker starts with a BP_FAUST_WEB_TOKEN only.
# HOME: nothing is to be written outside /data and /tmp, so that the root file system may be read-only.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    BP_FAUST_DATADIR=/data \
    BP_FAUST_WEB_BIND=0.0.0.0
# By number, so that Kubernetes can tell that it is not root.
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 6066
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:6066/livez', timeout=4)"]
# Workers pass requests on to the one that has the patient, so each says under which name the others reach it.
CMD ["sh", "-c", "exec faust -A bp_faust worker --web-host=\"$HOSTNAME\" --loglevel=info"]
