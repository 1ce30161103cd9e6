# hstmae serve for others to reach, behind a proxy with TLS (docs/serving.md, "On the internet"):
#   docker build -t hstmae . && docker run --rm -p 127.0.0.1:8000:8000 -v "$PWD/sessions:/sessions" hstmae
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY hstmae hstmae
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
        "$(ls /wheels/hstmae-*.whl)[serve,video,archive]" "torch==2.*+cpu" \
    && rm -r /wheels \
    && useradd --create-home --uid 10001 hstmae \
    && install -d -o hstmae /sessions
USER hstmae
WORKDIR /home/hstmae
VOLUME /sessions
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/sessions.json', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["hstmae", "serve", "--host", "0.0.0.0", "--port", "8000", "--files", "/sessions"]
