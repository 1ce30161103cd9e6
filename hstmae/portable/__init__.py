"""Exported models at work where PyTorch is not installed: ONNX Runtime up to the head, then the compiled head."""
