# The package on a CPU, as anybody but root. Built by buildah on Debian's Python 3.11, not yet by Docker on python:3.11-slim.
#   docker build -t orcamath .
#   mkdir -p here && docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/here:/data" orcamath run classroom
# PyPI's torch for Linux may bring CUDA: `--build-arg TORCH_INDEX=…` names PyTorch's index of CPU builds.
FROM python:3.11-slim AS wheel
COPY . /src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist /src

FROM python:3.11-slim
COPY constraints.txt /tmp/constraints.txt
# torch by its exact version and in a layer of its own: it is large, and the package changes more often
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' /tmp/constraints.txt)"
COPY --from=wheel /dist /tmp/dist
RUN pip install --no-cache-dir -c /tmp/constraints.txt "$(ls /tmp/dist/*.whl)[student]"

# Whoever runs it need not be known here: home is the folder that is mounted, and a name is all that is asked for.
RUN useradd --no-create-home orca && mkdir /data && chown orca /data
USER orca
WORKDIR /data
ENV HOME=/data USER=orca OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_DISABLE_TELEMETRY=1
ENTRYPOINT ["orcamath"]
CMD ["--help"]
