"""From TMS-EMG and TMS-EEG recordings to an answer."""

__version__ = "0.1.0"
